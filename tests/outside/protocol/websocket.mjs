// graphql-transport-ws: the reference client (npm `graphql-ws`), and raw frames where only a broken
// client would go.

import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { equal, run, token, url } from "./report.mjs";

const address = url.replace(/^http/, "ws");
const init = {
  type: "connection_init",
  payload: token ? { authorization: `Bearer ${token}` } : undefined,
};
const ask = (id, query = "{ __typename }") => ({ type: "subscribe", id, payload: { query } });

/** Sends messages, later those that answer a type of message; gives all that came back and how the socket was closed. */
function converse(messages, { protocol = "graphql-transport-ws", until, replies = {} } = {}) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address, protocol);
    const heard = [];
    socket.on("open", () => {
      for (const message of messages) {
        const raw = typeof message === "string" || message instanceof Uint8Array;
        socket.send(raw ? message : JSON.stringify(message));
      }
    });
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      heard.push(message);
      if (replies[message.type]) socket.send(JSON.stringify(replies[message.type]));
      if (until?.(message)) socket.close(1000);
    });
    socket.on("close", (code, reason) => resolve({ heard, code, reason: reason.toString() }));
    socket.on("error", reject);
  });
}

const closes = (code, messages, options) => async () =>
  equal((await converse(messages, options)).code, code);

await run({
  "a query through the reference client": async () => {
    const client = createClient({
      url: address,
      webSocketImpl: WebSocket,
      connectionParams: init.payload,
      retryAttempts: 0,
    });
    const answers = [];
    for await (const answer of client.iterate({ query: "{ __typename }" })) answers.push(answer);
    await client.dispose();
    equal(answers.length, 1);
    equal(answers[0].data.__typename.length > 0, true);
  },
  "a validation error through the reference client": async () => {
    const client = createClient({
      url: address,
      webSocketImpl: WebSocket,
      connectionParams: init.payload,
      retryAttempts: 0,
    });
    const failure = await new Promise((resolve) =>
      client.subscribe(
        { query: "{ thereIsNoSuchField }" },
        { next: () => resolve(null), error: resolve, complete: () => resolve(null) },
      ),
    );
    await client.dispose();
    equal(Array.isArray(failure) && failure[0].extensions.code, "BAD_INPUT");
  },
  "subscribe before connection_init": closes(4401, [ask("1")]),
  "two connection_init": closes(4429, [init, init]),
  "no connection_init": closes(4408, []),
  "a wrong token": closes(4403, [
    { type: "connection_init", payload: { authorization: "Bearer wrong" } },
  ]),
  "not JSON": closes(4400, ["{"]),
  "no id": closes(4400, [init, { type: "subscribe", payload: { query: "{ __typename }" } }]),
  "no query": closes(4400, [init, { type: "subscribe", id: "1", payload: {} }]),
  "a binary frame": closes(4400, [new Uint8Array([1, 2, 3])]),
  "another sub-protocol": closes(4406, [], { protocol: "graphql-ws" }),
  "an unknown type, with a reason that fits a frame": async () => {
    const { code, reason } = await converse([init, { type: "ü".repeat(500) }]);
    equal([code, Buffer.byteLength(reason) <= 123], [4400, true]);
  },
  // Several, because the server may be done with one before it reads the next.
  "the same id twice": closes(4409, [
    init,
    ...Array.from({ length: 50 }, () => ask("1", "{ __schema { types { name } } }")),
  ]),
  "answers, and then complete": async () => {
    const { heard } = await converse([init, ask("1")], { until: (m) => m.type === "complete" });
    equal(
      heard.map((message) => message.type),
      ["connection_ack", "next", "complete"],
    );
  },
  "a validation error ends the operation without complete": async () => {
    const { heard } = await converse([init, ask("1", "{ no }")], {
      replies: { error: { type: "ping" } },
      until: (m) => m.type === "pong",
    });
    equal(
      heard.map((message) => message.type),
      ["connection_ack", "error", "pong"],
    );
  },
  "a ping is answered with its payload": async () => {
    const { heard } = await converse([{ type: "ping", payload: { a: 1 } }], { until: () => true });
    equal(heard, [{ type: "pong", payload: { a: 1 } }]);
  },
  "complete of an unknown operation is no fault": async () => {
    const { heard, code } = await converse([init, { type: "complete", id: "9" }, { type: "ping" }], {
      until: (m) => m.type === "pong",
    });
    equal([heard.length, code], [2, 1000]);
  },
});
