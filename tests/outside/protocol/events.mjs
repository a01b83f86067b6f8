// GraphQL over server-sent events with the reference client (npm `graphql-sse`).

import { createClient } from "graphql-sse";
import { equal, headers, run, url } from "./report.mjs";

const client = createClient({ url, headers, retryAttempts: 0 });

await run({
  "a query": async () => {
    const answers = [];
    for await (const answer of client.iterate({ query: "{ __typename }" })) answers.push(answer);
    equal(answers.length, 1);
    equal(answers[0].data.__typename.length > 0, true);
  },
  "a validation error is an answer": async () => {
    const answers = [];
    for await (const answer of client.iterate({ query: "{ no }" })) answers.push(answer);
    equal(answers.length, 1);
    equal(answers[0].errors[0].extensions.code, "BAD_INPUT");
    equal("data" in answers[0], false);
  },
  "the stream's headers": async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, accept: "text/event-stream", "content-type": "application/json" },
      body: JSON.stringify({ query: "{ __typename }" }),
    });
    equal(response.status, 200);
    equal(response.headers.get("content-type"), "text/event-stream");
    equal(response.headers.get("x-accel-buffering"), "no");
    equal(/event: next\ndata: .*\n\nevent: complete\ndata:/.test(await response.text()), true);
  },
});
