// Tells the editor where its web workers are. It must run before the editor is loaded.
import 'graphiql/setup-workers/vite';
