import { useEffect, useState } from 'react';

const PERIOD = 5_000;

/** The time in milliseconds since 1970, renewed every five seconds. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), PERIOD);
    return () => clearInterval(timer);
  }, []);
  return now;
}
