import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Where `npm run dev` finds a running labql; the build does not use it.
const server = process.env['LABQL_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  // Relative addresses: the server may sit behind a path prefix.
  base: './',
  plugins: [react()],
  build: {
    target: 'es2022',
    // Nothing is written into the page: its Content-Security-Policy allows no inline script.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // The Monaco editor is one large chunk, and there is no smaller one to be had.
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      // Hints to another compiler, which packages leave in what they publish.
      onwarn: (warning, warn) => warning.code === 'MODULE_LEVEL_DIRECTIVE' || warn(warning),
    },
  },
  worker: { format: 'es' },
  server: {
    host: '127.0.0.1',
    // The page comes back as the examples for users do.
    fs: { allow: ['.', '../docs/examples'] },
    proxy: { '/graphql': { target: server, ws: true } },
  },
});
