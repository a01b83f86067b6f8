// The server under test, as the environment names it.
import { fileURLToPath } from 'node:url';

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}: see tests/outside/README.md`);
  return value;
}

export const url = required('LABQL_URL').replace(/\/$/, '');
export const graphqlUrl = `${url}/graphql`;
export const token = () => required('LABQL_TOKEN');
export const credentials = () => ({ username: required('LABQL_USER'), password: required('LABQL_PASSWORD') });

/** A path given in the environment, or one relative to the repository. */
export const path = (variable, inRepository) =>
  process.env[variable] ?? fileURLToPath(new URL(`../../../${inRepository}`, import.meta.url));

/** One operation over HTTP with the token. Resolves to the decoded body. */
export async function post(query, variables = {}) {
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json;q=0.9',
      authorization: `Bearer ${token()}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}
