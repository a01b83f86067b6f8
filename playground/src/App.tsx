import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';

import { defaultTabs } from './examples/examples';
import { examplesPlugin } from './examples/ExamplesPlugin';
import { SessionBar } from './session/SessionBar';
import { useSession } from './session/useSession';
import { storage } from './storage';
import { useConnection } from './useConnection';

const PLUGINS = [examplesPlugin, HISTORY_PLUGIN];

/** The whole page: the bar that says who asks, and GraphiQL. */
export function App() {
  const session = useSession();
  const { fetcher } = useConnection(session.token);

  return (
    <>
      <SessionBar session={session} />
      <main className="workbench" aria-label="GraphiQL">
        <GraphiQL
          fetcher={fetcher}
          defaultTabs={defaultTabs}
          plugins={PLUGINS}
          storage={storage}
          schemaDescription
          inputValueDeprecation
          // The token goes through the session bar; a header typed here would end up in the history.
          isHeadersEditorEnabled={false}
          showPersistHeadersSettings={false}
          defaultEditorToolsVisibility="variables"
        >
          {/* The bar above says where we are. */}
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}
