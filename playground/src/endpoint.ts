/** The server's one endpoint, beside the folder that this page is served from. */
export const httpUrl = new URL('../graphql', document.baseURI).href;

/** The same endpoint for subscriptions. */
export const webSocketUrl = httpUrl.replace(/^http/, 'ws');
