import { writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { build, type Metafile, type Plugin } from 'esbuild';

/**
 * Writes the whole program as one minified CommonJS file in which every `import()` still waits for its moment, and
 * esbuild's description of it beside it (`.json`). Throws when the program would need anything but Node's own modules.
 */
export async function bundle(output: string): Promise<void> {
  const { metafile } = await build({
    entryPoints: ['bin/nomad-bootstrap.ts'],
    outfile: output,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    minify: true,
    keepNames: true, // stack traces name our functions
    lineLimit: 240, // and Node prints the line that threw
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    // A single executable has no `import()` at run time once its code is cached: what is left of them is `require()`.
    supported: { 'dynamic-import': false },
    // yargs reads a package.json and translations beside its own file: give it a place that no host has, nor three folders above it.
    define: {
      'import.meta.url': '"file:///nomad-bootstrap.bundle/deep/down/here/main.cjs"',
      'import.meta.dirname': '"/nomad-bootstrap.bundle/deep/down/here"',
      'import.meta.filename': '"/nomad-bootstrap.bundle/deep/down/here/main.cjs"',
    },
    plugins: [absent(/^(macos|osx)-temperature-sensor$/), undiciClients],
  });
  const foreign = externals(metafile).filter(name => !isBuiltin(name));
  if (foreign.length > 0) throw new Error(`not in the bundle: ${foreign.join(', ')}`);
  await writeFile(`${output}.json`, JSON.stringify(metafile));
}

/** Every module that a bundle takes from outside, sorted. */
export function externals(metafile: Metafile): string[] {
  const imports = Object.values(metafile.outputs).flatMap(output => output.imports);
  return [...new Set(imports.filter(imported => imported.external).map(imported => imported.path))].sort();
}

/** Optional dependencies of a library for other systems: requiring one fails, as it does where it is not installed. */
function absent(filter: RegExp): Plugin {
  return {
    name: 'absent',
    setup(builder) {
      builder.onResolve({ filter }, ({ path }) => ({ path, namespace: 'absent' }));
      builder.onLoad({ filter: /.*/, namespace: 'absent' }, ({ path }) => ({
        contents: `throw Object.assign(new Error('no ${path} here'), { code: 'MODULE_NOT_FOUND' })`,
      }));
    },
  };
}

/**
 * Of undici its clients alone. Its entry loads `fetch`, caches, mocks and web sockets as well, which nothing here uses and which take
 * half of its time and memory: measured, 54 and 26 ms, 31 and 17 MB.
 */
const undiciClients: Plugin = {
  name: 'undici-clients',
  setup(builder) {
    builder.onLoad({ filter: /\/undici\/index\.js$/ }, () => ({
      contents: `
        Object.assign(require('./lib/dispatcher/dispatcher').prototype, require('./lib/api'));
        exports.Agent = require('./lib/dispatcher/agent');
        exports.EnvHttpProxyAgent = require('./lib/dispatcher/env-http-proxy-agent');
      `,
    }));
  },
};
