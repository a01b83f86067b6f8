/** An operation to begin with, for one kind of user. */
export interface Example {
  /** The file's name, such as `front-end-jobs`. */
  name: string;
  /** The kind of user, from the first line: `# For front-ends: …`. */
  audience: string;
  /** What it shows, from the same line. */
  summary: string;
  /** The operation's name. */
  title: string;
  query: string;
  /** Variables, as JSON. */
  variables: string;
}

const queries = import.meta.glob<string>('../../examples/*.graphql', { query: '?raw', import: 'default', eager: true });
const variables = import.meta.glob<string>('../../examples/*.json', { query: '?raw', import: 'default', eager: true });

/** The order of the tabs; a file of another name comes last. */
const AUDIENCES = ['front-end', 'researcher', 'operator', 'administrator', 'subscriber'];

function example(path: string, query: string): Example {
  const [, audience = '', summary = ''] = /^#\s*For ([^:]+):\s*(.*)$/m.exec(query) ?? [];
  const [, title = ''] = /^(?:query|mutation|subscription)\s+(\w+)/m.exec(query) ?? [];
  const name = path.replace(/^.*\/|\.graphql$/g, '');
  return { name, audience, summary, title, query, variables: variables[path.replace(/graphql$/, 'json')] ?? '' };
}

function rank({ name }: Example): number {
  const index = AUDIENCES.findIndex((audience) => name.startsWith(audience));
  return index < 0 ? AUDIENCES.length : index;
}

/** All examples, ordered by kind of user. */
export const examples: Example[] = Object.entries(queries)
  .map(([path, query]) => example(path, query))
  .sort((a, b) => rank(a) - rank(b));

/** The tabs of a first visit: of the many about datasets the list alone, the others are in the side bar. */
export const defaultTabs = examples
  .filter(({ name }) => !name.startsWith('researcher-') || name === 'researcher-datasets')
  .map(({ query, variables }) => ({ query, variables }));
