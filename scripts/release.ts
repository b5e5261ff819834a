// release.ts FOLDER URL: writes install.sh, stackscript.sh and bundle.sh, for the executables that lie in FOLDER and are served at URL.
import { readFile, writeFile } from 'node:fs/promises';
import { render } from '../src/templates.ts';
import { version } from '../src/version.ts';

const [folder, url] = process.argv.slice(2);
if (folder === undefined || url === undefined || !URL.canParse(url)) throw new Error('release.ts FOLDER URL');

const sums = await readFile(`${folder}/SHA256SUMS`, 'utf8');
const files = [...sums.matchAll(/^(?<sha256>[0-9a-f]{64}) {2}(?<name>\S+)$/gm)].map(({ groups }) => ({
  name: groups?.['name'] ?? '',
  sha256: groups?.['sha256'] ?? '',
}));
if (files.length === 0) throw new Error(`${folder}/SHA256SUMS lists nothing`);

const install = render(await template('install.sh'), { version, url: url.replace(/\/+$/, ''), files }, shellWord);
await writeFile(`${folder}/install.sh`, install, { mode: 0o755 });
// The installer goes along whole: what a StackScript runs depends on no other file than the executable that it names.
const stackScript = render(await template('stackscript.sh'), { version, install }, text => text);
await writeFile(`${folder}/stackscript.sh`, stackScript, { mode: 0o755 });

const opener = (await template('opener.sh')).trimEnd();
const bundle = render(
  await template('bundle.sh'),
  { version, install, opener: render(opener, { version }, shellWord) },
  text => text,
);
await writeFile(`${folder}/bundle.sh`, bundle, { mode: 0o755 });

function template(name: string): Promise<string> {
  return readFile(new URL(`../templates/release/${name}.mustache`, import.meta.url), 'utf8');
}

/** Versions, digests and addresses need no quoting in a shell, and what would need it is none of these. */
function shellWord(text: string, name: string): string {
  if (!/^[A-Za-z0-9._:/@%+=~-]+$/.test(text))
    throw new Error(`${name} is not fit for a shell script: ${JSON.stringify(text)}`);
  return text;
}
