import { useId, useState, type FormEvent } from 'react';

import type { SessionState } from './useSession';

export function PasswordForm({ session }: { session: SessionState }) {
  const id = useId();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');

  function submit(event: FormEvent) {
    event.preventDefault();
    void session.logIn(username, password);
    setPassword('');
  }

  return (
    <form onSubmit={submit} aria-label="Log in">
      <label htmlFor={`${id}-username`}>User name</label>
      <input
        id={`${id}-username`}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        value={username}
        onChange={(event) => setUsername(event.target.value)}
      />
      <label htmlFor={`${id}-password`}>Password</label>
      <input
        id={`${id}-password`}
        name="password"
        type="password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      <button type="submit" disabled={session.busy}>
        Log in
      </button>
    </form>
  );
}
