import { useEffect, useMemo } from 'react';

import { connect, type Connection } from './fetcher';

/** A connection that follows the token: a new one when somebody else logs in, and the old one is closed. */
export function useConnection(token: string | null): Connection {
  const connection = useMemo(() => connect(token), [token]);
  useEffect(() => connection.close, [connection]);
  return connection;
}
