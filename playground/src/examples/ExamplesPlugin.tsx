import { pick, useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from '@graphiql/react';

import { examples, type Example } from './examples';

const groups = Map.groupBy(examples, ({ audience }) => audience);

/** The examples by kind of user; each opens in a new tab. */
function Examples() {
  const { addTab } = useGraphiQLActions();
  const { queryEditor, variableEditor } = useGraphiQL(pick('queryEditor', 'variableEditor'));

  function open({ query, variables }: Example) {
    addTab();
    variableEditor?.setValue(variables);
    queryEditor?.setValue(query);
    queryEditor?.focus();
  }

  return (
    <section className="examples" aria-label="Examples">
      <h2>Examples</h2>
      {[...groups].map(([audience, members]) => (
        <section key={audience} aria-label={`For ${audience}`}>
          <h3>For {audience}</h3>
          <ul>
            {members.map((example) => (
              <li key={example.name}>
                <button type="button" onClick={() => open(example)}>
                  <strong>{example.title}</strong>
                  <span>{example.summary}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </section>
  );
}

function ExamplesIcon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M4 5h6v6H4zM14 5h6v6h-6zM4 15h6v4H4zM14 15h6v4h-6z" />
    </svg>
  );
}

export const examplesPlugin: GraphiQLPlugin = { title: 'Examples', icon: ExamplesIcon, content: Examples };
