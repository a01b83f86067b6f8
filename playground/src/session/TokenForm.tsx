import { useId, useState, type FormEvent } from 'react';

import type { SessionState } from './useSession';

export function TokenForm({ session }: { session: SessionState }) {
  const id = useId();
  const [token, setToken] = useState('');

  function submit(event: FormEvent) {
    event.preventDefault();
    void session.takeToken(token);
    setToken('');
  }

  return (
    <form onSubmit={submit} aria-label="Use a token">
      <label htmlFor={id}>Token or API key</label>
      <input
        id={id}
        name="token"
        type="password"
        className="wide"
        autoComplete="off"
        required
        value={token}
        onChange={(event) => setToken(event.target.value)}
      />
      <button type="submit" disabled={session.busy}>
        Use it
      </button>
    </form>
  );
}
