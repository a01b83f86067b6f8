import { useCallback, useEffect, useState } from 'react';

import { logIn, viewerOf } from './api';
import { loadSession, storeSession, type Session } from './session';
import { sessionOfToken } from './token';

/** Who is logged in, and how to change that. */
export interface SessionState {
  token: string | null;
  username: string | null;
  expiresAt: string | null;
  /** True while the server is being asked. */
  busy: boolean;
  /** What went wrong last, in words for the person. */
  problem: string | null;
  logIn(username: string, password: string): Promise<void>;
  takeToken(pasted: string): Promise<void>;
  logOut(reason?: string): void;
}

interface User {
  session: Session;
  username: string;
}

export function useSession(): SessionState {
  const [user, setUser] = useState<User | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  /** Every token is shown to the server before it is used: a wrong one is said here and not by the next query. */
  const enter = useCallback(async (session: () => Session | Promise<Session>) => {
    setBusy(true);
    setProblem(null);
    try {
      const candidate = await session();
      const username = await viewerOf(candidate.token);
      storeSession(candidate);
      setUser({ session: candidate, username });
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }, []);

  const logOut = useCallback((reason?: string) => {
    storeSession(null);
    setUser(null);
    setProblem(reason ?? null);
  }, []);

  // A reloaded page goes on as the same user.
  useEffect(() => {
    const stored = loadSession();
    if (stored !== null) void enter(() => stored);
  }, [enter]);

  return {
    token: user?.session.token ?? null,
    username: user?.username ?? null,
    expiresAt: user?.session.expiresAt ?? null,
    busy,
    problem,
    logIn: (username, password) => enter(() => logIn(username, password)),
    takeToken: (pasted) => enter(() => sessionOfToken(pasted)),
    logOut,
  };
}
