// Logs in with LABQL_USER and LABQL_PASSWORD at LABQL_URL and prints the token.
const { LABQL_URL, LABQL_USER: username, LABQL_PASSWORD: password } = process.env;

const response = await fetch(`${LABQL_URL}/graphql`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json' },
  body: JSON.stringify({
    query: 'mutation Login($input: LoginInput!) { login(input: $input) { token errors { code message } } }',
    variables: { input: { username, password } },
  }),
});
const body = await response.json();
const token = body.data?.login?.token;
if (!token) throw new Error(`no token: ${JSON.stringify(body)}`);
console.log(token);
