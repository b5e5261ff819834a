import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { healthChecks } from '../src/checks/index.ts';
import { dryRunPreflight, preflight } from '../src/checks/preflight/index.ts';
import { commands } from '../src/commands/index.ts';
import { steps } from '../src/steps/index.ts';

/**
 * What each part of src/ may use at run time, and what more it may name in types. A part is a folder, or a file beside
 * them. What decides knows nothing of how the host is reached; what reaches the host knows nothing of what is decided.
 */
const mayUse: Readonly<Record<string, { readonly values: readonly string[]; readonly types?: readonly string[] }>> = {
  // Generic in the target: it could converge anything.
  core: { values: [] },
  version: { values: [] },
  assets: { values: [] },
  templates: { values: ['core'] },
  versions: { values: [], types: ['facts'] },
  // What the host is, what it is to be, and what that means today: in this order.
  facts: { values: ['core'] },
  config: { values: ['core', 'facts', 'versions'], types: ['resolution'] },
  resolution: { values: ['core', 'versions'], types: ['config', 'facts', 'platforms'] },
  token: { values: ['core'] },
  target: { values: [], types: ['config', 'core', 'facts', 'platforms', 'resolution', 'token'] },
  // How this node's own agents are asked.
  'own-agents': { values: [], types: ['config', 'core', 'token'] },
  // What can be made, how it differs between the families, and what is made.
  resources: { values: ['core', 'token'], types: ['config', 'resolution'] },
  platforms: { values: ['core', 'resources', 'resolution', 'versions'], types: ['config', 'facts'] },
  steps: {
    values: [
      'assets',
      'config',
      'core',
      'own-agents',
      'resolution',
      'resources',
      'target',
      'templates',
      'token',
      'version',
      'versions',
    ],
  },
  checks: { values: ['config', 'core', 'facts', 'own-agents', 'resources', 'target', 'token'] },
  reporters: { values: ['core'], types: ['facts'] },
  // Knows the port that it fills, and nothing of the product.
  host: { values: ['core'] },
  commands: {
    values: [
      ...['checks', 'config', 'core', 'facts', 'own-agents', 'platforms', 'reporters', 'resolution'],
      ...['resources', 'steps', 'target'],
      ...['token', 'version', 'versions'],
    ],
  },
  cli: { values: ['config', 'core', 'version'], types: ['commands'] },
  'given-secrets': { values: ['config', 'core', 'host'], types: ['commands'] },
  main: { values: ['cli', 'commands', 'config', 'core', 'given-secrets', 'host', 'reporters', 'version'] },
};

/** Each library has one file that knows it, so that it can be exchanged there. */
const libraries: Readonly<Record<string, readonly string[]>> = {
  '@noble/curves': ['token/certificates.ts'],
  '@peculiar/x509': ['token/certificates.ts'],
  diff: ['resources/unified-diff.ts'],
  execa: ['host/exec.ts'],
  'ipaddr.js': ['facts/addresses.ts'],
  mustache: ['templates.ts'],
  openpgp: ['resources/openpgp-keys.ts'],
  'reflect-metadata': ['token/certificates.ts'],
  semver: ['resolution/package-version.ts'],
  systeminformation: ['host/inspect.ts'],
  tar: ['host/archive.ts'],
  undici: ['host/http.ts'],
  yaml: ['config/load.ts'],
  yargs: ['cli.ts'],
  // Describes data where it enters: settings, what the agents answer, and what a journal says.
  zod: ['config/', 'checks/', 'resolution/server-versions.ts', 'resources/undo.ts'],
};

/** What a pure function may take of Node; everything else touches the machine, and is for host/ alone. */
const pureModules = ['node:buffer', 'node:crypto', 'node:path', 'node:util', 'node:zlib'];

interface Import {
  readonly from: string;
  readonly to: string;
  /** Gone once the types are stripped. */
  readonly typeOnly: boolean;
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.ts'))
  .sort();
const texts = new Map(files.map(path => [path, readFileSync(`src/${path}`, 'utf8')]));
const imports = files.flatMap(importsOf);
const own = imports.filter(({ to }) => files.includes(to));
const foreign = imports.filter(({ to }) => !files.includes(to));

/** Static and dynamic; paths of our own from src/. */
function importsOf(from: string): Import[] {
  const statements = (texts.get(from) ?? '').matchAll(
    /^(?:import|export) (?<type>type )?(?:(?<names>[^'";]*?) from )?'(?<target>[^']+)'|\bimport\('(?<lazy>[^']+)'\)/gm,
  );
  return Array.from(statements, ({ groups = {} }) => {
    const target = groups['target'] ?? groups['lazy'] ?? '';
    const names = /^\{(?<list>[^}]*)\}$/.exec(groups['names']?.trim() ?? '')?.groups?.['list'] ?? '';
    const each = names
      .split(',')
      .map(name => name.trim())
      .filter(name => name !== '');
    return {
      from,
      to: target.startsWith('.') ? posix.join(posix.dirname(from), target) : target,
      typeOnly: groups['type'] !== undefined || (each.length > 0 && each.every(name => name.startsWith('type '))),
    };
  });
}

function partOf(path: string): string {
  return path.split('/')[0]?.replace(/\.ts$/, '') ?? '';
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** `a/b.ts -> c/d.ts`, for a message that says where to look. */
function shown({ from, to }: Import): string {
  return `${from} -> ${to}`;
}

describe('the parts', () => {
  it('are those of the table', () => {
    expect(own.length).toBeGreaterThan(files.length);
    expect([...new Set(files.map(partOf))].sort()).toEqual(Object.keys(mayUse).sort());
  });

  it.each(Object.keys(mayUse))('of %s use nothing at run time but what they may', part => {
    const allowed = [part, ...(mayUse[part]?.values ?? [])];

    const uses = own.filter(({ from, typeOnly }) => partOf(from) === part && !typeOnly);

    expect(uses.filter(({ to }) => !allowed.includes(partOf(to))).map(shown)).toEqual([]);
  });

  it.each(Object.keys(mayUse))('of %s name no types but those that they may', part => {
    const { values = [], types = [] } = mayUse[part] ?? {};
    const allowed = [part, ...values, ...types];

    const uses = own.filter(({ from }) => partOf(from) === part);

    expect(uses.filter(({ to }) => !allowed.includes(partOf(to))).map(shown)).toEqual([]);
  });

  it('have no circle at run time', () => {
    const edges = new Map(files.map(file => [file, own.filter(({ from, typeOnly }) => from === file && !typeOnly)]));
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (path.includes(file) || done.has(file)) return;
      for (const { to } of edges.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);

    expect(circles).toEqual([]);
  });

  it('are started by bin/, which alone touches the process', () => {
    const touching = files.filter(
      path => !path.startsWith('host/') && /\bprocess\.\w+/.test(withoutComments(texts.get(path) ?? '')),
    );

    expect(touching).toEqual([]);
  });
});

describe('a library', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };

  it('that we depend on is in the table, and no other', () => {
    expect(Object.keys(dependencies).sort()).toEqual(Object.keys(libraries).sort());
  });

  it.each(Object.entries(libraries))('is known in one place: %s', (library, places) => {
    const users = foreign.filter(({ to }) => !isBuiltin(to) && packageOf(to) === library).map(({ from }) => from);

    expect(users.length).toBeGreaterThan(0);
    expect(
      users.filter(user => !places.some(place => user === place || (place.endsWith('/') && user.startsWith(place)))),
    ).toEqual([]);
  });

  it('is all that is used from outside', () => {
    const known = [...Object.keys(libraries), '../package.json'];

    expect(
      foreign
        .filter(({ to }) => !isBuiltin(to) && !known.includes(packageOf(to)) && !to.endsWith('package.json'))
        .map(shown),
    ).toEqual([]);
  });

  it('of Node that touches the machine is for host/ alone, and for the files that the executable carries', () => {
    const touching = foreign.filter(({ to }) => isBuiltin(to) && !pureModules.includes(to));

    expect(touching.filter(({ from }) => !from.startsWith('host/')).map(shown)).toEqual([
      'assets.ts -> node:fs',
      'assets.ts -> node:sea',
    ]);
  });

  it('that speaks to the network or starts a process is used where it is at home', () => {
    const users = (module: string) => foreign.filter(({ to }) => to === module).map(({ from }) => from);

    expect(users('node:child_process')).toEqual(['host/lock.ts']);
    // A TLS handshake on a port that is not HTTP's.
    expect(users('node:net')).toEqual(['host/handshake.ts']);
    for (const module of ['node:http', 'node:https', 'node:dgram', 'node:dns']) expect(users(module)).toEqual([]);
    expect(files.filter(path => /\bfetch\(/.test(withoutComments(texts.get(path) ?? '')))).toEqual([]);
  });
});

describe('a file', () => {
  it.each(files)('%s has named exports only, and nothing that changes between two calls', path => {
    const text = withoutComments(texts.get(path) ?? '');

    expect(text).not.toMatch(/^export default\b/m);
    expect(text).not.toMatch(/^(?:export )?(?:let|var)\b/m);
    expect(text).not.toMatch(/^(?:export )?(?:const )?enum\b|^(?:export )?namespace\b/m);
  });

  it('has a name that says what it is', () => {
    expect(files.filter(path => !/^[a-z0-9/-]+\.ts$/.test(path))).toEqual([]);
    expect(files.filter(path => /\b(?:utils?|helpers?|managers?|misc|common)\b/.test(path))).toEqual([]);
  });
});

describe('the steps', () => {
  it('have an id each, which is the name of their file and of what it exports', () => {
    const index = texts.get('steps/index.ts') ?? '';

    expect(new Set(steps.map(({ id }) => id)).size).toBe(steps.length);
    for (const { id } of steps) {
      const name = id.replaceAll(/-[a-z]/g, letter => letter.slice(1).toUpperCase());
      expect(index).toContain(`import { ${name} } from './${id}.ts';`);
    }
  });

  it('come after every step that they wait for', () => {
    for (const [index, { id, after = [] }] of steps.entries()) {
      const earlier = steps.slice(0, index).map(step => step.id);
      expect(
        after.filter(other => !earlier.includes(other.split('/')[0] ?? '')),
        id,
      ).toEqual([]);
    }
  });

  it('are listed, each of them', () => {
    const index = texts.get('steps/index.ts') ?? '';
    const modules = files.filter(
      path => path.startsWith('steps/') && /: Step<Target> = \{/.test(texts.get(path) ?? ''),
    );

    expect(modules.filter(path => !index.includes(`'./${posix.basename(path)}'`))).toEqual(unlistedSteps);
  });
});

/** `verify --timer` makes it, and no bootstrap does. */
const unlistedSteps = ['steps/verify-timer.ts'];

describe('the checks', () => {
  it.each([
    ['checks/', healthChecks],
    ['checks/preflight/', preflight],
    ['checks/preflight/', dryRunPreflight],
  ])('of %s have an id each, which is the name of their file', (folder, checks) => {
    expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
    expect(checks.map(({ id }) => `${folder}${id}.ts`).filter(path => !files.includes(path))).toEqual([]);
  });

  it('need only checks that there are', () => {
    const ids = healthChecks.map(({ id }) => id);

    expect(healthChecks.flatMap(({ needs = [] }) => needs).filter(id => !ids.includes(id))).toEqual([]);
  });
});

describe('the commands', () => {
  it.each(Object.entries(commands))('have a module that runs them: %s', async (_, { load }) => {
    expect(await load()).toHaveProperty('run', expect.any(Function));
  });
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}
