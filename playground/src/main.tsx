import './workers';
import 'graphiql/style.css';
import './styles/page.css';
import './styles/session-bar.css';
import './styles/examples.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App';

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no element #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
