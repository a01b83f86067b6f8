import { useState } from 'react';

import { CurrentUser } from './CurrentUser';
import { PasswordForm } from './PasswordForm';
import { TokenForm } from './TokenForm';
import type { SessionState } from './useSession';

/** The bar above the editor: log in, or see who is logged in. */
export function SessionBar({ session }: { session: SessionState }) {
  const [withToken, setWithToken] = useState(false);

  return (
    <header className="session-bar">
      <h1>labql</h1>
      {session.username === null ? (
        <>
          {withToken ? <TokenForm session={session} /> : <PasswordForm session={session} />}
          <button type="button" className="link" onClick={() => setWithToken(!withToken)}>
            {withToken ? 'Use a password' : 'Use a token or API key'}
          </button>
        </>
      ) : (
        <CurrentUser session={session} username={session.username} />
      )}
      <p className="problem" role="alert">
        {session.problem}
      </p>
    </header>
  );
}
