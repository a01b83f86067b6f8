import { useEffect } from 'react';

import { useNow } from './useNow';
import type { SessionState } from './useSession';

const MINUTE = 60_000;

/** Who is logged in and for how long; logs out when the time is over. */
export function CurrentUser({ session, username }: { session: SessionState; username: string }) {
  const { expiresAt, logOut } = session;
  const now = useNow();
  const left = expiresAt === null ? null : Date.parse(expiresAt) - now;
  const expired = left !== null && left <= 0;

  useEffect(() => {
    if (expired) logOut('The session has expired: log in again.');
  }, [expired, logOut]);

  return (
    <div className="current-user">
      <p>
        Logged in as <strong>{username}</strong>
      </p>
      {expiresAt !== null && left !== null && (
        <p>
          until{' '}
          <time dateTime={expiresAt} title={expiresAt}>
            {new Date(expiresAt).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })}
          </time>{' '}
          ({remaining(left)})
        </p>
      )}
      <button type="button" onClick={() => logOut()}>
        Log out
      </button>
    </div>
  );
}

function remaining(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / MINUTE);
  if (minutes < 1) return 'less than a minute left';
  if (minutes < 120) return `${minutes} min left`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h left`;
  return `${Math.floor(minutes / 60 / 24)} days left`;
}
