// The client libraries, each as its users would set it up. A subscriber gets the address of the endpoint, the value of the
// header Authorization and a request; it gives the answers to `next`, settles `ended` when the subscription is over, and `onClosed` hears how each
// socket was closed.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';

import { ApolloClient, ApolloLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { EventSource } from 'eventsource';
import { createClient as createEventStreamClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import { takeWhile, toAsyncIterable } from 'wonka';
import { WebSocket } from 'ws';

import { listen } from '../../../docs/examples/event-source.mjs';
import { follow } from '../../../docs/examples/follow.mjs';
import { eventStreamOptions, resuming, webSocketOptions } from '../../../docs/examples/resuming.mjs';

const webSocketClient = ({ url, authorization, onClosed: closed }, options) =>
  createWebSocketClient({
    url: url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    on: { closed },
    ...options,
  });

const eventStreamClient = ({ url, authorization }, options) =>
  createEventStreamClient({ url, headers: { authorization }, ...options });

/** Runs docs/examples/follow.mjs. */
function following(client, { request, next }) {
  const answers = follow(client, request);
  const ended = (async () => {
    for await (const answer of answers) next(answer);
  })();
  return { ended, stop: () => client.dispose() };
}

/** Subscribes with anything that has the interface of an observable. */
function observing(observable, next, stop) {
  const ended = new Promise((resolve, reject) =>
    observable.subscribe({ next, error: reject, complete: () => resolve() }),
  );
  return { ended, stop };
}

function urql(options, exchanges, settings = {}) {
  return new Client({
    url: options.url,
    exchanges,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: options.authorization } },
    ...settings,
  });
}

/** An exchange that passes subscriptions on to a client of graphql-ws or graphql-sse. */
const forwardTo = (client) =>
  subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({
      subscribe: (sink) => ({ unsubscribe: client.subscribe({ query, variables }, sink) }),
    }),
  });

function throughUrql(options, client) {
  const { request, next } = options;
  const source = urql(options, [forwardTo(client)]).subscription(request.query, request.variables);
  const ended = new Promise((_, reject) =>
    source.subscribe(({ data, error }) => (error ? reject(error) : next({ data }))),
  );
  return { ended, stop: () => client.dispose() };
}

/** What graphql-ws would give. The end of a stream repeats the last update, with `hasNext: false`. */
async function* updates(source) {
  for await (const { data, error } of toAsyncIterable(takeWhile(({ hasNext }) => hasNext)(source))) {
    if (error) throw error.networkError ?? error.graphQLErrors;
    yield { data };
  }
}

const withAfter = ({ query, variables, after }) => ({ query, variables: { ...variables, after } });
const resumable = (options) => ({ ...options, request: withAfter(options.request) });

export const subscribers = {
  'graphql-ws, followed': (options) =>
    following(webSocketClient(options, { retryAttempts: 0 }), options),

  'graphql-ws, coming back by itself': (given) => {
    const options = resumable(given);
    const client = resuming(webSocketClient(options, webSocketOptions));
    const observable = { subscribe: (sink) => client.subscribe(options.request, sink) };
    return observing(observable, options.next, () => client.dispose());
  },

  'graphql-sse, followed': (options) => following(eventStreamClient(options, { retryAttempts: 0 }), options),

  'graphql-sse, coming back by itself': (given) => {
    const options = resumable(given);
    const client = resuming(eventStreamClient(options, eventStreamOptions));
    const observable = { subscribe: (sink) => client.subscribe(options.request, sink) };
    return observing(observable, options.next, () => client.dispose());
  },

  EventSource: ({ url, authorization, request, next }) => {
    const { ended, close } = listen(EventSource, url, { authorization }, withAfter(request), next);
    return { ended, stop: close };
  },

  'Apollo Client': (given) => {
    const { request, next, ...options } = resumable(given);
    const client = resuming(webSocketClient(options, webSocketOptions));
    const apollo = new ApolloClient({ link: new GraphQLWsLink(client), cache: new InMemoryCache() });
    const { query, variables } = request;
    // Updates are told once; there is nothing to be found in a cache.
    const observable = apollo.subscribe({ query: gql(query), variables, fetchPolicy: 'no-cache' });
    return observing(observable, next, () => client.dispose());
  },

  'urql over graphql-ws': (given) => {
    const options = resumable(given);
    return throughUrql(options, resuming(webSocketClient(options, webSocketOptions)));
  },

  'urql over graphql-sse': (given) => {
    const options = resumable(given);
    return throughUrql(options, resuming(eventStreamClient(options, eventStreamOptions)));
  },

  // urql's own event streams do not come back by themselves.
  "urql's event streams, followed": (options) => {
    const client = urql(options, [fetchExchange], { fetchSubscriptions: true });
    const iterate = ({ query, variables }) => updates(client.subscription(query, variables));
    return following({ iterate, dispose() {} }, options);
  },

  'gql for Python': ({ url, authorization, request, next }) => {
    const program = fileURLToPath(new URL('./follow.py', import.meta.url));
    const python = spawn(process.env.LABQL_PYTHON ?? 'python3', [program], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    python.stdin.end(JSON.stringify({ url: url.replace(/^http/, 'ws'), authorization, ...request }));
    let complaints = '';
    python.stderr.on('data', (bytes) => (complaints = (complaints + bytes).slice(-4000)));
    createInterface({ input: python.stdout }).on('line', (line) => next({ data: { events: JSON.parse(line) } }));
    const ended = new Promise((resolve, reject) =>
      python.on('close', (status) => (status === 0 ? resolve() : reject(new Error(complaints)))),
    );
    return { ended, stop: () => python.kill() };
  },
};
