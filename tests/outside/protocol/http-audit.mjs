// The audit of GraphQL over HTTP by the specification's working group (npm `graphql-http`).

import { auditServer } from "graphql-http";
import { finish, headers, url } from "./report.mjs";

const results = await auditServer({
  url,
  fetchFn: (target, init = {}) =>
    fetch(target, { ...init, headers: { ...headers, ...init.headers } }),
});
const failures = results.filter((result) => result.status !== "ok");
for (const { status, id, name, reason } of failures) {
  console.error(`${status.toUpperCase()} ${id} ${name}: ${reason}`);
}
finish(results.length - failures.length, failures.length);
