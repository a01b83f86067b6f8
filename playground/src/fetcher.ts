import { createGraphiQLFetcher, type Fetcher, type FetcherOpts, type FetcherParams } from '@graphiql/toolkit';
import { Kind, parse, type DocumentNode } from 'graphql';
import { createClient, type Client } from 'graphql-ws';

import { resuming, webSocketOptions } from '../../docs/examples/resuming.mjs';

import { httpUrl, webSocketUrl } from './endpoint';
import { authorization } from './session/session';

/** How GraphiQL reaches the server: queries and mutations over HTTP, subscriptions over one WebSocket. */
export interface Connection {
  fetcher: Fetcher;
  close(): void;
}

/** Opens a connection for one user; another token needs another connection. */
export function connect(token: string | null): Connection {
  const headers = authorization(token);
  let hasConnected = false;
  const wsClient = createClient({
    url: webSocketUrl,
    connectionParams: headers,
    ...webSocketOptions,
    on: { connected: () => (hasConnected = true) },
    // Where there is no way for WebSockets at all, waiting in silence would not tell.
    shouldRetry: (reason) => hasConnected && webSocketOptions.shouldRetry(reason),
  });
  const send = createGraphiQLFetcher({
    url: httpUrl,
    headers,
    wsClient: inWords(resuming(wsClient)),
    enableIncrementalDelivery: false,
  });
  return {
    fetcher: (params, options) => send(...asWritten(params, options)),
    close: () => void wsClient.dispose(),
  };
}

/** Says as a GraphQL error why there is no socket: GraphiQL would show where in this program that was noticed. */
function inWords(client: Client): Client {
  return {
    ...client,
    subscribe: (request, sink) =>
      client.subscribe(request, {
        ...sink,
        error: (reason) => sink.error(reason instanceof Event ? [{ message: closing(reason) }] : reason),
      }),
  };
}

function closing(event: Event): string {
  if (!(event instanceof CloseEvent)) return `A WebSocket to ${webSocketUrl} could not be opened`;
  return `The WebSocket was closed: ${event.reason || 'the connection is lost'} (${event.code})`;
}

/**
 * Takes the operation's name and kind from the text that is sent. GraphiQL notes them a moment after the text changes,
 * so who is quick to switch tabs and execute would send the name of the tab before.
 */
function asWritten(params: FetcherParams, options?: FetcherOpts): [FetcherParams, FetcherOpts] {
  const documentAST = tryParse(params.query);
  if (documentAST === null) return [params, options ?? {}];
  const names = documentAST.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION ? [definition.name?.value ?? null] : [],
  );
  const operationName = names.includes(params.operationName ?? null) ? params.operationName : names[0];
  return [
    { ...params, operationName: operationName ?? null },
    { ...options, documentAST },
  ];
}

/** Null for a text with a mistake: the server says what is wrong with it. */
function tryParse(query: string): DocumentNode | null {
  try {
    return parse(query);
  } catch {
    return null;
  }
}
