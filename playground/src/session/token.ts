import type { Session } from './session';

/** Takes a token or an API key as people paste it: with or without `Bearer`, with spaces around it. */
export function sessionOfToken(pasted: string): Session {
  const token = pasted.trim().replace(/^bearer\s+/i, '');
  return { token, expiresAt: expiryOf(token) };
}

/** The `exp` claim of a JSON Web Token (RFC 7519, seconds since 1970); null of anything else. */
export function expiryOf(token: string): string | null {
  const payload = token.split('.')[1];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    if (typeof claims !== 'object' || claims === null || !('exp' in claims)) return null;
    return typeof claims.exp === 'number' ? new Date(claims.exp * 1000).toISOString() : null;
  } catch {
    return null;
  }
}
