import { httpUrl } from '../endpoint';
import { authorization, type Session } from './session';

interface UserError {
  code: string;
  field: string | null;
  message: string;
}

interface LoginData {
  login: { token: string | null; expiresAt: string | null; user: { username: string } | null; errors: UserError[] };
}

interface ViewerData {
  viewer: { username: string } | null;
}

const LOGIN = `mutation Login($input: LoginInput!) {
  login(input: $input) { token expiresAt user { username } errors { code field message } }
}`;

const VIEWER = `query Viewer {
  viewer { username }
}`;

/** Trades a user name and a password for a token. Throws with the server's words when they do not fit. */
export async function logIn(username: string, password: string): Promise<Session> {
  const { login } = await request<LoginData>(LOGIN, { input: { username, password } }, null);
  const [error] = login.errors;
  if (login.token === null) throw new Error(error?.message ?? 'The server gave no token.');
  return { token: login.token, expiresAt: login.expiresAt };
}

/** The name of the token's user. Throws when the server does not take the token. */
export async function viewerOf(token: string): Promise<string> {
  const { viewer } = await request<ViewerData>(VIEWER, {}, token);
  if (viewer === null) throw new Error('The server does not know this token.');
  return viewer.username;
}

async function request<Data>(query: string, variables: object, token: string | null): Promise<Data> {
  const response = await fetch(httpUrl, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json;q=0.9',
      ...authorization(token),
    },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  const { data, errors } = parse<Data>(text, response.status);
  if (data == null) throw new Error(errors?.[0]?.message ?? `The server answered ${response.status}.`);
  return data;
}

function parse<Data>(text: string, status: number): { data?: Data | null; errors?: { message: string }[] } {
  try {
    return JSON.parse(text) as { data?: Data | null; errors?: { message: string }[] };
  } catch {
    throw new Error(`The server answered ${status}, and not with JSON.`);
  }
}
