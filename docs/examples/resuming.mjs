// For libraries that call `subscribe` of a client of graphql-ws or graphql-sse, such as Apollo Client, urql and Relay.

/** The client, but each subscription goes on from the last cursor when the client has come back. */
export function resuming(client) {
  const subscribe = (request, sink) => {
    // The client writes the request anew each time that it connects.
    const variables = { ...request.variables };
    const next = (answer) => {
      for (const update of Object.values(answer.data ?? {})) variables.after = update?.cursor ?? variables.after;
      sink.next(answer);
    };
    const error = (reason) => sink.error(reason);
    const complete = () => sink.complete();
    return client.subscribe({ ...request, variables }, { next, error, complete });
  };
  return { ...client, subscribe };
}

/** How long to wait before coming back: at first a second, at last half a minute. */
const wait = (failures) =>
  new Promise((resolve) => setTimeout(resolve, Math.min(1000 * 2 ** failures, 30_000) * (0.5 + Math.random() / 2)));

/** Options for graphql-ws: without them, it gives up when the server is away, or after five attempts. */
export const webSocketOptions = {
  retryAttempts: Infinity,
  retryWait: wait,
  // 4403: the credentials are refused, or no longer valid.
  shouldRetry: (reason) => reason.code !== 4403,
};

/** Options for graphql-sse, which gives up after five attempts. */
export const eventStreamOptions = { retryAttempts: Infinity, retry: wait };
