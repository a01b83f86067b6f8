// `EventSource` comes back by itself, with `Last-Event-ID`, and so misses nothing. That of browsers can send no
// credentials; that of npm's `eventsource` can, in browsers too.

/**
 * Subscribes with headers such as `{ authorization: 'Bearer …' }`, and gives the answers to `next`. What it returns has
 * `close()`, and `ended`, which resolves at the end of the subscription and rejects when it is refused.
 */
export function listen(EventSource, url, headers, { query, variables }, next) {
  const address = new URL(url);
  address.searchParams.set('query', query);
  address.searchParams.set('variables', JSON.stringify(variables));
  const source = new EventSource(address, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
  });
  const ended = new Promise((resolve, reject) => {
    source.addEventListener('next', ({ data }) => next(JSON.parse(data)));
    source.addEventListener('complete', resolve);
    // The source is closed only if coming back is useless; else it is already about to do so.
    source.onerror = (error) => source.readyState === EventSource.CLOSED && reject(error);
  });
  return { ended: ended.finally(() => source.close()), close: () => source.close() };
}
