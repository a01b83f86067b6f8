// A network between clients and server that can fail.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Forwards connections to `target` (an address such as `http://127.0.0.1:8080`), which may change. */
export async function openProxy(target) {
  const open = new Set();
  let isCut = false;
  let allowance = Infinity;

  const server = createServer((client) => {
    if (isCut) return client.resetAndDestroy();
    const { hostname, port } = new URL(proxy.target);
    const upstream = connect(Number(port), hostname);
    const tear = () => {
      open.delete(tear);
      client.resetAndDestroy();
      upstream.destroy();
    };
    open.add(tear);
    let left = allowance;
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => {
      if (bytes.length < left) {
        left -= bytes.length;
        client.write(bytes);
      } else {
        // What was sent first arrives: a reset would overtake it.
        client.end(bytes.subarray(0, left), tear);
      }
    });
    // The two directions end on their own: a message of farewell still arrives.
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
    for (const socket of [client, upstream]) socket.on('error', tear);
    client.on('close', () => open.delete(tear));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const tearAll = () => [...open].forEach((tear) => tear());
  const proxy = {
    target,
    url: `http://127.0.0.1:${server.address().port}`,
    /** Tears all connections, and lets none come about. */
    cut() {
      isCut = true;
      tearAll();
    },
    /** Tears all connections, and new ones after so many bytes from the server, be it in the middle of a message. */
    tearAfter(bytes) {
      allowance = bytes;
      tearAll();
    },
    mend() {
      isCut = false;
      allowance = Infinity;
    },
    close() {
      proxy.cut();
      server.close();
    },
  };
  return proxy;
}
