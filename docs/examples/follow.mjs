// Follows a subscription for as long as it takes: each change once, in order, whatever becomes of the connection.
//
//   client    of graphql-ws or graphql-sse, made with `retryAttempts: 0`: coming back is done here
//   query     a subscription with the variable $after, whose one root field selects `cursor` under that name
//   after     from where on: a cursor, such as `eventCursor` of the query that you show, or `beginning`
//
// Gives the answers, and throws what coming back does not mend.
export async function* follow(client, { query, variables, after }) {
  let cursor = after;
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const answer of client.iterate({ query, variables: { ...variables, after: cursor } })) {
        if (!answer.data) throw answer.errors;
        const [update] = Object.values(answer.data);
        cursor = update.cursor;
        failures = 0;
        yield answer;
      }
    } catch (reason) {
      if (!passes(reason)) throw reason;
    }
    const pause = Math.min(1000 * 2 ** failures, 30_000) * (0.5 + Math.random() / 2);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Whether it may go well next time: neither a refusal (HTTP 4xx, close code 44xx) nor an error in the request. */
function passes(reason) {
  if (Array.isArray(reason)) return reason.every((error) => error.extensions?.code === 'UNAVAILABLE');
  return !(reason.code >= 4400) && !(reason.response?.status < 500);
}
