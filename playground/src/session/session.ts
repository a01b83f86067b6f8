/** What the page knows of a login. It lives in `sessionStorage`: gone with the browser's tab, never in the address. */
export interface Session {
  token: string;
  /** When the token expires (RFC 3339), or null where that is not known, as of an API key. */
  expiresAt: string | null;
}

const KEY = 'labql:session';

export function loadSession(): Session | null {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    return isSession(stored) ? stored : null;
  } catch {
    return null;
  }
}

export function storeSession(session: Session | null): void {
  if (session === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, JSON.stringify(session));
}

/** The header, and the payload of `connection_init`, that carries a token. */
export function authorization(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

function isSession(value: unknown): value is Session {
  return typeof value === 'object' && value !== null && 'token' in value && typeof value.token === 'string';
}
