import { namesOf, type OptionName, options, variableName } from '../src/config/options.ts';
import { cniPlugins, testedLines } from '../src/versions.ts';

const begin = '<!-- options: made by scripts/configuration.ts -->';
const end = '<!-- end of options -->';

/** What holds where nothing was said, on a node that was never bootstrapped. A switch is off, unless it is told here. */
export const defaults: Readonly<Partial<Record<OptionName, string>>> = {
  expect: '1 without `--join`; with it, it must be given',
  name: "the Linode's label, else the host name",
  datacenter: '`dc-<region>-1` on a Linode, else `dc1`',
  region: '`global`',
  network: '`auto`',
  nomadVersion: `the newest ${testedLines.nomad} release`,
  consulVersion: `the newest ${testedLines.consul} release`,
  cniVersion: `\`${cniPlugins.version}\``,
  docker: '`auto`',
  nodePool: '`default`',
  api: '`cluster`, with `--insecure`',
  wait: '180; `verify`: 0',
  waitFor: '`node`',
  waitLock: '0',
  format: '`text`',
  canaryImage: 'busybox, pinned by its digest',
  color: 'on, on a terminal',
};

/** The page with the table of options as it is now, between its two marks. Throws when the marks are not there. */
export function withOptions(page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error('the page has no marks for the table of options');
  return `${page.slice(0, from)}${begin}\n\n${sections()}\n${page.slice(to)}`;
}

function sections(): string {
  const names = Object.keys(options) as OptionName[];
  const groups = [...new Set(names.map(name => options[name].group))];
  return groups
    .map(group =>
      section(
        group,
        names.filter(name => options[name].group === group),
      ),
    )
    .join('\n');
}

function section(title: string, names: readonly OptionName[]): string {
  return [`### ${title}`, '', '| flag and variable | what it says | default | commands |', '|---|---|---|---|']
    .concat(names.map(row))
    .concat('')
    .join('\n');
}

function row(name: OptionName): string {
  const { kind, describe, commands } = options[name];
  const { placeholder = '' } = options[name] as { readonly placeholder?: string };
  const value = placeholder === '' ? '' : ` ${placeholder}`;
  const flags = namesOf(name).map(flag => `\`--${flag}${value}\``);
  const preset = defaults[name] ?? (kind === 'switch' ? 'off' : 'none');
  const variables = namesOf(name).map(key => `\`${variableName(key)}\``);
  const cells = [[...flags, ...variables].join('<br>'), meaning(describe), preset, commands.join(', ')];
  return `| ${cells.map(cell => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
}

/** The help's words without the default at their end, which has a column of its own. */
function meaning(describe: string): string {
  return describe.replace(/ \((?:default|1 where)[^)]*\)$/, '').replaceAll('<', '&lt;');
}
