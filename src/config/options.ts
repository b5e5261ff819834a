import * as z from 'zod';
import { familyOf, isUsable, parseCidr } from '../facts/addresses.ts';
import { joinSearches, searchPattern } from './linode-search.ts';

export type CommandName =
  | 'server'
  | 'client'
  | 'auto'
  | 'dev'
  | 'image'
  | 'uninstall'
  | 'verify'
  | 'facts'
  | 'token'
  | 'renew'
  | 'completion';

/** One setting: a flag, an environment variable and a key of the --config file at once. */
interface Option<S extends z.ZodType = z.ZodType> {
  /** The heading in the help under which it stands. */
  readonly group: 'Cluster' | 'Jobs' | 'Software' | 'Run' | 'Checks' | 'Output';
  /** How it is typed on a command line: a value, a switch, comma-separated values, or repeated `key=value`. */
  readonly kind: 'value' | 'switch' | 'list' | 'pairs';
  readonly schema: S;
  readonly describe: string;
  /** What stands for the value in the help. */
  readonly placeholder?: string;
  readonly alias?: string;
  /** An empty value takes back what was recorded: what holds without it may be wanted again. */
  readonly emptyTakesBack?: true;
  readonly commands: readonly CommandName[];
}

const cluster: readonly CommandName[] = ['server', 'client', 'auto'];
const roles: readonly CommandName[] = ['server', 'client', 'auto', 'dev'];
const changing: readonly CommandName[] = ['server', 'client', 'auto', 'dev', 'image'];
const all: readonly CommandName[] = [
  'server',
  'client',
  'auto',
  'dev',
  'image',
  'uninstall',
  'verify',
  'facts',
  'token',
  'renew',
];

const hostName =
  /^(?=.{1,253}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A number as YAML has it, or as a flag and a variable spell it. */
function wholeNumber(least: number, most: number) {
  return z
    .union(
      [
        z.int(),
        z
          .string()
          .regex(/^-?\d{1,9}$/)
          .transform(Number),
      ],
      'must be a whole number',
    )
    .pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));
}

const seconds = wholeNumber(0, 86_400);
/** Without leading zeros, which no release has. */
const number = '(?:0|[1-9]\\d{0,8})';
const release = new RegExp(`^${number}\\.${number}\\.${number}$`);
const version = z
  .string()
  .refine(text => text === 'latest' || release.test(text), 'must be `latest` or an exact version such as 2.0.5');
const fingerprint = z
  .string()
  .transform(text => text.replaceAll(/[\s:]/g, '').toUpperCase())
  .refine(text => /^[0-9A-F]{40}$/.test(text), 'must be an OpenPGP fingerprint: 40 hexadecimal digits');
const dnsLabel = z
  .string()
  .regex(
    label,
    'must consist of 1 to 63 lower-case letters, digits and hyphens, and neither begin nor end with a hyphen',
  );
/** The base of other addresses, which also stands in the package managers' own files: nothing that would end there. */
const mirrorUrl = z
  .string()
  .refine(text => URL.canParse(text) && /^(?:https?:\/\/|file:\/\/\/)/.test(text), {
    error: 'must be an http:// or https:// address, or file:///FOLDER',
    abort: true,
  })
  .refine(
    text => /^[\w\-.~:/%@[\]+,=]+$/.test(text),
    'must be an http:// or https:// address, or file:///FOLDER, without white space, quotes, query and fragment',
  )
  .refine(
    text => !new URL(text).username && !new URL(text).password,
    "must not hold a user name or password, which would be readable in the package manager's settings",
  )
  .transform(text => text.replace(/\/+$/, ''));
const joinTarget = z
  .string()
  .refine(
    text => searchPattern.test(text) || familyOf(text) === 4 || (hostName.test(text) && !/^[\d.]+$/.test(text)),
    'must list IPv4 addresses or host names, without ports; or be linode:tag=T[,region=R][,address-type=private_v4|public_v4|vpc_v4]',
  )
  .refine(
    text => text !== 'localhost' && (familyOf(text) === undefined || isUsable(text)),
    'must list addresses at which other machines can be reached',
  );
const nodeAttribute = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'must consist of letters, digits, hyphens, dots and underscores');

function option<S extends z.ZodType>(entry: Option<S>): Option<S> {
  return entry;
}

/** THE TABLE. Flags, environment variables, keys of the --config file, help and documentation are all made from it. */
export const options = {
  expect: option({
    group: 'Cluster',
    kind: 'value',
    schema: wholeNumber(1, 99),
    describe: 'Number of servers in the cluster (1 where no --join is given)',
    placeholder: 'N',
    alias: 'bootstrap-expect',
    commands: ['server', 'auto'],
  }),
  join: option({
    group: 'Cluster',
    kind: 'list',
    schema: z
      .array(z.string())
      .transform(joinSearches)
      .pipe(z.array(joinTarget).min(1, 'must name at least one server')),
    describe:
      "Servers to join, by address or name, the node's own is left out; or `vlan`: found on the VLAN's own subnet; or `linode:tag=T[,region=R]`: found by Linode's API",
    placeholder: 'A,B,...',
    alias: 'retry-join',
    commands: cluster,
  }),
  withClient: option({
    group: 'Cluster',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'The server runs jobs as well',
    commands: ['server', 'auto'],
  }),
  name: option({
    group: 'Cluster',
    kind: 'value',
    schema: dnsLabel.refine(name => name !== 'localhost', 'must not be localhost, which every machine is'),
    describe: "Node name (default: the Linode's label, else the host name)",
    placeholder: 'NAME',
    commands: roles,
  }),
  datacenter: option({
    group: 'Cluster',
    kind: 'value',
    schema: z
      .string()
      .regex(/^[a-z0-9_-]{1,63}$/, 'must consist of lower-case letters, digits, hyphens and underscores'),
    describe: 'Datacenter (default: dc-<region>-1 on a Linode, else dc1)',
    placeholder: 'DC',
    commands: [...roles, 'token'],
  }),
  region: option({
    group: 'Cluster',
    kind: 'value',
    schema: dnsLabel,
    describe: 'Nomad region (default: global)',
    placeholder: 'REGION',
    commands: [...roles, 'token'],
  }),
  network: option({
    group: 'Cluster',
    kind: 'value',
    schema: z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,63}$/,
        'must be auto, vlan, vpc, private, public, an interface, a CIDR or an address',
      )
      .refine(
        text => !text.includes('/') || parseCidr(text)?.family === 4,
        'must be an IPv4 network such as 10.0.0.0/24 where it has a slash',
      )
      .refine(text => familyOf(text) !== 6, 'must be an IPv4 address: clusters are made on IPv4'),
    describe:
      'The address to cluster on: auto, vlan, vpc, private, public, an interface, a CIDR or an address (default: auto)',
    placeholder: 'NET',
    commands: cluster,
  }),
  nomadVersion: option({
    group: 'Software',
    kind: 'value',
    schema: version,
    describe: "Exact Nomad version, or `latest` (default: what is installed, else the tested line's newest)",
    placeholder: 'VERSION',
    commands: changing,
  }),
  consulVersion: option({
    group: 'Software',
    kind: 'value',
    schema: version,
    describe: 'Exact Consul version, or `latest`',
    placeholder: 'VERSION',
    commands: changing,
  }),
  cniVersion: option({
    group: 'Software',
    kind: 'value',
    schema: z.string().regex(release, 'must be a version such as 1.9.1'),
    describe: 'Version of the CNI plug-ins; another than the pinned one needs --cni-sha256',
    placeholder: 'VERSION',
    commands: changing,
  }),
  docker: option({
    group: 'Software',
    kind: 'value',
    schema: z.enum(['auto', 'distro', 'none'], 'must be auto, distro or none'),
    describe: "Where Docker comes from: auto (Docker's own repository, else the distribution's), distro, none",
    placeholder: 'SOURCE',
    commands: changing,
  }),
  nodePool: option({
    group: 'Jobs',
    kind: 'value',
    schema: nodeAttribute,
    describe: 'Node pool (default: default)',
    placeholder: 'POOL',
    commands: roles,
  }),
  nodeClass: option({
    group: 'Jobs',
    kind: 'value',
    schema: nodeAttribute,
    describe: 'Node class',
    placeholder: 'CLASS',
    emptyTakesBack: true,
    commands: roles,
  }),
  meta: option({
    group: 'Jobs',
    kind: 'pairs',
    schema: z.record(
      nodeAttribute,
      z
        .string()
        .regex(/^[^\p{Cc}]*$/u, 'values must not hold control characters')
        .refine(text => !/[$%]\{/.test(text), 'values must not hold ${ or %{, which Nomad would evaluate'),
    ),
    describe: 'Metadata of the client, as key=value; repeatable',
    placeholder: 'KEY=VALUE',
    commands: roles,
  }),
  rawExec: option({
    group: 'Jobs',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'Jobs may run commands as root, outside any isolation',
    commands: roles,
  }),
  dockerPrivileged: option({
    group: 'Jobs',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'Jobs may run privileged containers',
    commands: roles,
  }),
  dockerVolumes: option({
    group: 'Jobs',
    kind: 'switch',
    schema: z.boolean(),
    describe: "Jobs may mount this host's folders into containers",
    commands: roles,
  }),
  tokenFile: option({
    group: 'Cluster',
    kind: 'value',
    schema: z.string().min(1, 'must name a file'),
    describe: "File with the cluster's token (else NOMAD_BOOTSTRAP_TOKEN, else a prompt)",
    placeholder: 'FILE',
    commands: [...cluster, 'token'],
  }),
  linodeTokenFile: option({
    group: 'Cluster',
    kind: 'value',
    schema: z.string().min(1, 'must name a file'),
    describe:
      "File with a token of Linode's API for --join linode:... (else NOMAD_BOOTSTRAP_LINODE_TOKEN, else a prompt)",
    placeholder: 'FILE',
    commands: cluster,
  }),
  kind: option({
    group: 'Cluster',
    kind: 'value',
    schema: z.enum(
      ['nomad-management', 'consul-management', 'nomad-gossip', 'consul-gossip', 'ca-certificate'],
      'must be nomad-management, consul-management, nomad-gossip, consul-gossip or ca-certificate',
    ),
    describe: 'The secret to show: nomad-management, consul-management, nomad-gossip, consul-gossip or ca-certificate',
    placeholder: 'KIND',
    commands: ['token'],
  }),
  insecure: option({
    group: 'Cluster',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'No encryption and no access control: whoever reaches the network rules the cluster',
    commands: cluster,
  }),
  api: option({
    group: 'Cluster',
    kind: 'value',
    schema: z.enum(['loopback', 'cluster'], 'must be loopback or cluster'),
    describe: "Where the agents' HTTP APIs listen (default with --insecure: cluster)",
    placeholder: 'WHERE',
    commands: cluster,
  }),
  mirror: option({
    group: 'Software',
    kind: 'value',
    schema: mirrorUrl,
    describe: 'Every upstream below one address, or file:///FOLDER: URL/apt.releases.hashicorp.com/...',
    placeholder: 'URL',
    emptyTakesBack: true,
    commands: changing,
  }),
  hashicorpKeyFingerprint: option({
    group: 'Software',
    kind: 'list',
    schema: z.array(fingerprint),
    describe: "Another key that may sign HashiCorp's packages; repeatable",
    placeholder: 'F',
    commands: changing,
  }),
  dockerKeyFingerprint: option({
    group: 'Software',
    kind: 'list',
    schema: z.array(fingerprint),
    describe: "Another key that may sign Docker's packages; repeatable",
    placeholder: 'F',
    commands: changing,
  }),
  cniSha256: option({
    group: 'Software',
    kind: 'value',
    schema: z
      .string()
      .toLowerCase()
      .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256: 64 hexadecimal digits'),
    describe: "SHA-256 of the CNI plug-ins' archive, where it is not the pinned one",
    placeholder: 'H',
    commands: changing,
  }),
  wait: option({
    group: 'Run',
    kind: 'value',
    schema: seconds,
    describe: 'How long to wait for health, in seconds (default: 180; verify: 0); uninstall: for jobs to move away',
    placeholder: 'SECONDS',
    commands: [...roles, 'uninstall', 'verify'],
  }),
  waitFor: option({
    group: 'Run',
    kind: 'value',
    schema: z.enum(['node', 'cluster'], 'must be node or cluster'),
    describe: 'What to wait for: that this node is right (default), or that all that is expected is there',
    placeholder: 'WHAT',
    commands: cluster,
  }),
  waitLock: option({
    group: 'Run',
    kind: 'value',
    schema: seconds,
    describe: 'How long to wait for another run to end, in seconds (default: 0)',
    placeholder: 'SECONDS',
    commands: [...changing, 'uninstall', 'renew'],
  }),
  force: option({
    group: 'Run',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'Restart or remove a server even where the cluster could lose its quorum',
    commands: [...cluster, 'uninstall'],
  }),
  dryRun: option({
    group: 'Run',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'Print every change with its diff, make none',
    commands: [...changing, 'uninstall', 'renew'],
  }),
  purgeData: option({
    group: 'Run',
    kind: 'switch',
    schema: z.boolean(),
    describe: "Delete the agents' data and Docker's images as well",
    commands: ['uninstall'],
  }),
  timings: option({
    group: 'Run',
    kind: 'value',
    schema: z.string().min(1, 'must name a file'),
    describe: 'Tell where the time went, and write it to a file that a trace viewer opens',
    placeholder: 'FILE',
    commands: [...changing, 'uninstall', 'verify'],
  }),
  format: option({
    group: 'Checks',
    kind: 'value',
    schema: z.enum(
      ['text', 'json', 'junit', 'prometheus', 'nagios'],
      'must be text, json, junit, prometheus or nagios',
    ),
    describe: 'How to print the result: text, json, junit, prometheus or nagios',
    placeholder: 'FORMAT',
    commands: ['verify'],
  }),
  only: option({
    group: 'Checks',
    kind: 'list',
    schema: z.array(z.string()),
    describe: 'Run these checks alone',
    placeholder: 'ID,...',
    commands: ['verify'],
  }),
  skip: option({
    group: 'Checks',
    kind: 'list',
    schema: z.array(z.string()),
    describe: 'Leave these checks out',
    placeholder: 'ID,...',
    commands: ['verify'],
  }),
  canary: option({
    group: 'Checks',
    kind: 'switch',
    schema: z.boolean(),
    describe:
      'Run a small job through the scheduler as well, and take it away again; on a client of a cluster with a token only with NOMAD_TOKEN',
    commands: ['verify'],
  }),
  canaryImage: option({
    group: 'Checks',
    kind: 'value',
    schema: z.string().regex(/^[a-z0-9][A-Za-z0-9._:/@-]{0,255}$/, 'must name a container image'),
    describe: "Image of that job, with busybox's programs in it (default: busybox, pinned)",
    placeholder: 'IMAGE',
    commands: ['verify'],
  }),
  timer: option({
    group: 'Checks',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'Instead of checking now: check every five minutes from now on, with metrics for node_exporter',
    commands: ['verify'],
  }),
  json: option({
    group: 'Output',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'One event per line on standard output; verify and facts: one document',
    commands: all,
  }),
  quiet: option({
    group: 'Output',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'Only warnings and errors',
    commands: all,
  }),
  verbose: option({
    group: 'Output',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'Every command too',
    commands: all,
  }),
  color: option({
    group: 'Output',
    kind: 'switch',
    schema: z.boolean(),
    describe: 'Colours (--no-color: none)',
    commands: all,
  }),
  config: option({
    group: 'Run',
    kind: 'value',
    schema: z.string().min(1, 'must name a file'),
    describe: 'YAML file with any of these settings',
    placeholder: 'FILE',
    commands: all,
  }),
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;

/** What the operator asked for, from whichever source: every value valid by itself, nothing decided yet. */
export type Settings = { readonly [K in OptionName]?: z.output<(typeof options)[K]['schema']> };

/** `nodePool` -> `node-pool`: the flag without its hyphens, and the key of the --config file. */
export function flagName(name: string): string {
  return name.replaceAll(/[A-Z]/g, capital => `-${capital.toLowerCase()}`);
}

/** `nodePool` -> `NOMAD_BOOTSTRAP_NODE_POOL`. */
export function variableName(name: string): string {
  return `NOMAD_BOOTSTRAP_${flagName(name).replaceAll('-', '_').toUpperCase()}`;
}

/** The name of a setting and its other one. */
export function namesOf(name: OptionName): readonly string[] {
  const { alias } = options[name] as { alias?: string };
  return alias === undefined ? [flagName(name)] : [flagName(name), alias];
}
