import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { clientTokenOf } from '../../src/token/credentials.ts';
import { parseToken } from '../../src/token/format.ts';
import { testClientToken, testServerToken } from '../token/vectors.ts';
import { type LinodeApi, startLinodeApi } from './linode-api.ts';
import { inFolder, renderUserData, succeed, terraform, whyNoProviders, whyNoTerraform } from './terraform.ts';

const whyNoPlan = whyNoProviders('linode');
const whyNoTokens = whyNoProviders('linode', 'external', 'random');
for (const [what, reason] of [
  ['what Terraform renders', whyNoTerraform],
  ['what Terraform plans', whyNoPlan],
  ["Terraform's tokens", whyNoTokens],
])
  if (reason !== undefined) process.stderr.write(`skipped: test/deploy/terraform.test.ts: ${what}: ${reason}\n`);

// A second or two each, and many times that on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = path.resolve('deploy/terraform');
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.tf'));
const text = (name: string) => readFileSync(path.join(folder, name), 'utf8');
/** The blocks of a kind at the top of a file: name and body. Formatted files close them in the first column. */
const blocks = (source: string, kind: string) =>
  [...source.matchAll(new RegExp(`^${kind} ([^{]+) \\{\\n(.*?)^\\}`, 'gms'))].map(([, name = '', body = '']) => ({
    name,
    body,
  }));

const settings = `settings = {
    network = "vlan"
    join    = "vlan"
    expect  = 3
    insecure = null
    nomad-version = null
    datacenter = "dc-us-east-1"
  }`;
const nodes = {
  server: `role = "server"\n  release_url = "https://release.lab"\n  ${settings}\n  token = "nbserver1.example.of.no.cluster"`,
  client: `role = "client"\n  release_url = "https://release.lab"\n  ${settings}\n  token = "nbclient1.example.of.no.cluster"
  install_sha256 = "${'0123456789abcdef'.repeat(4)}"`,
  insecure: `role = "server"\n  release_url = "https://release.lab"\n  settings = { insecure = true, expect = 3, join = "vlan" }`,
};

describe.skipIf(whyNoTerraform !== undefined)('the Terraform module', () => {
  it('is formatted as Terraform formats', async () => {
    expect(await terraform(['fmt', '-check', '-diff', '-recursive', '-no-color', folder], folder)).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });

  it.each(Object.entries(nodes))('gives a node exactly this user data: %s', async (name, arguments_) => {
    await expect(await renderUserData(arguments_)).toMatchFileSnapshot(`../golden/deploy/${name}.user-data.sh`);
  });

  it('gives user data that shellcheck has no complaint of', () => {
    for (const name of Object.keys(nodes)) {
      const { stdout } = spawnSync('shellcheck', [`test/golden/deploy/${name}.user-data.sh`], { encoding: 'utf8' });
      expect(stdout).toBe('');
    }
  });

  it.each([
    ['role', nodes.server.replace('role = "server"', 'role = "boss"'), 'The role is server or client'],
    [
      'release_url',
      nodes.server.replace('https://release.lab', 'https://release.lab/$(reboot)'),
      'needs no quoting in a shell',
    ],
    ['install_sha256', nodes.client.replace('0123', 'xyz'), '64 lower-case hexadecimal digits'],
  ])('refuses a %s that cannot be used', async (_, arguments_, reason) => {
    await expect(renderUserData(arguments_)).rejects.toThrow(reason);
  });
});

describe('the Terraform module', () => {
  it('says of every variable and output what it is, of which type, and holds each value to what it may be', () => {
    const variables = files.flatMap(name => blocks(text(name), 'variable'));
    const outputs = files.flatMap(name => blocks(text(name), 'output'));
    expect(variables.length).toBeGreaterThan(30);
    for (const { name, body } of variables) {
      expect(body, name).toMatch(/^ {2}description = ".+[.)]"$/m);
      expect(body, name).toMatch(/^ {2}type\s+= /m);
    }
    for (const { name, body } of outputs) expect(body, name).toMatch(/description = ".+"/);

    // A bool is one already.
    for (const { name, body } of blocks(text('variables.tf'), 'variable')) {
      const judged = /^ {2}validation \{/m.test(body) || /type\s+= bool/.test(body);
      expect(judged, name).toBe(true);
    }
  });

  it('keeps passwords and tokens out of what Terraform prints', () => {
    for (const { name, body } of files.flatMap(file => blocks(text(file), 'variable'))) {
      if (/password|token/.test(name)) expect(body, name).toMatch(/^ {2}sensitive\s+= true$/m);
    }
  });

  it('never makes a node anew for what it was made with', () => {
    const instances = blocks(text('main.tf'), 'resource').filter(({ name }) => name.startsWith('"linode_instance"'));
    expect(instances).toHaveLength(2);
    for (const { body } of instances) {
      expect(body).toMatch(/ignore_changes = \[metadata, stackscript_data, image, /);
      expect(body).toMatch(/^ {2}for_each\s+= local\.(servers|clients)$/m);
    }
  });

  it("has the guide's nine inputs in its example", () => {
    const names = blocks(text('examples/guide/main.tf'), 'variable').map(({ name }) => name.replaceAll('"', ''));
    expect(names.slice(0, 9)).toEqual([
      ...['token', 'ssh_keys', 'root_password', 'server_count', 'client_count'],
      ...['region', 'linode_image', 'server_type', 'client_type'],
    ]);
  });
});

const key = 'ssh-ed25519 AAAA you@example.com';
const variables = `
variable "server_count" { default = 3 }
variable "client_count" { default = 3 }
variable "nomad_version" { default = null }
variable "linode_image" { default = "linode/debian13" }
variable "ssh_keys" {
  type    = list(string)
  default = ["${key}"]
}
variable "root_password" { default = null }`;

/** The module with the least that must be said, waiting for nobody, with `more`, and with `instead` of a line of the same name. */
function moduleOf(name: string, more: string, instead = ''): string {
  const lines = [
    `source = "${folder}"`,
    'region = "us-southeast"',
    'release_url = "https://release.lab"',
    'wait_for_health = false',
    ...['server_count', 'client_count', 'nomad_version', 'linode_image', 'ssh_keys', 'root_password'].map(
      variable => `${variable} = var.${variable}`,
    ),
  ].filter(line => line.split(' ')[0] !== instead.split(' ')[0]);
  return `module "${name}" {\n${[...lines, more, instead].join('\n')}\n}`;
}

const cluster = (more: string) => `${variables}\n${moduleOf('nomad', more)}\noutput "nomad" { value = module.nomad }`;
const insecure = 'insecure = true';
const secure = `server_token = "${testServerToken}"\n  client_token = "${testClientToken}"`;

type Refusal = readonly [what: string, token: string, change: string, reason: string];

/** What a variable may not be, and what does not go together: the second is not looked at where there is any of the first. */
const refusals: readonly (readonly Refusal[])[] = [
  [
    ['a region that is none', insecure, 'region = "Frankfurt"', "A region's id"],
    [
      'a server token for clients',
      `server_token = "${testServerToken}"\n  client_token = "${testServerToken}"`,
      '',
      'A client token',
    ],
    ['an even number of servers', insecure, 'server_count = 4', 'An odd number up to 7'],
    ['half a client', insecure, 'client_count = 1.5', 'A whole number'],
    ['no key', insecure, 'ssh_keys = []', 'Give at least one public key'],
    ['a private key', insecure, 'ssh_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"]', 'Give at least one public key'],
    ['an image that is not supported', insecure, 'linode_image = "linode/alpine3.21"', 'linode/ubuntu24.04'],
    ['a type that is none', insecure, 'server_type = "big"', "A type's id"],
    ['a name for no label', insecure, 'name = "My Cluster"', 'lower-case letters, digits and hyphens'],
    ['another network', insecure, 'network = "public"', 'vlan or vpc'],
    ['the network that strangers are on', insecure, 'network_cidr = "192.168.128.0/24"', 'A private network'],
    ["Docker's own network", insecure, 'network_cidr = "172.17.0.0/24"', 'A private network'],
    ["the network of Nomad's bridge", insecure, 'network_cidr = "172.26.64.0/24"', 'A private network'],
    ['a network too small', insecure, 'network_cidr = "10.8.0.0/28"', 'A private network'],
    ["an agent's port for everybody", insecure, 'public_ports = ["4646"]', 'never public'],
    ["a range with an agent's port", insecure, 'public_ports = ["8000-9000"]', 'never public'],
    ['a port that is none', insecure, 'public_ports = ["http"]', 'Up to 15 ports'],
    ['a port too high', insecure, 'public_ports = ["99999"]', 'Up to 15 ports'],
    ['a range from its end', insecure, 'public_ports = ["5000-4000"]', 'Up to 15 ports'],
    ['port 0', insecure, 'public_ports = ["0"]', 'Up to 15 ports'],
    ['SSH past its sources', insecure, 'public_ports = ["20-30"]', 'SSH is opened by ssh_sources'],
    ['a version that is none', insecure, 'nomad_version = "new"', 'latest or a version'],
    ['an address for SSH that is no network', insecure, 'ssh_sources = { ipv4 = ["me"], ipv6 = [] }', 'CIDR'],
    ['a short password', insecure, 'root_password = "secret"', 'From 11 to 128 characters'],
    ['an even number to expect', insecure, 'bootstrap_expect = 2', '1, 3, 5 or 7'],
    ['settings that are no map', insecure, 'settings = ["docker"]', 'Settings by their names'],
    [
      'a token among the settings',
      insecure,
      'client_settings = { linode-token-file = "x" }',
      'tokens and insecure have variables of their own',
    ],
    ['insecure among the settings', insecure, 'settings = { insecure = true }', 'insecure have variables of their own'],
    ['a key for SSH that is not there', insecure, 'ssh_private_key_file = "/nowhere"', 'no such file'],
    ['a release on no web server', insecure, 'release_url = "/dist"', 'It begins with https://'],
  ],
  [
    ['a region without VLANs', insecure, 'region = "xx-no-vlans"', 'The region xx-no-vlans does not offer'],
    ['neither tokens nor insecure', '', '', 'Give server_token and client_token'],
    ['tokens and insecure', `${secure}\n  ${insecure}`, '', 'Give server_token and client_token'],
    ['more expected than there are', insecure, 'bootstrap_expect = 5', 'more than there are servers'],
    ['an installer that anybody may change', insecure, 'release_url = "http://release.lab"', 'install_sha256'],
    [
      'more servers than a placement group keeps apart',
      insecure,
      'server_count = 7\n  placement_group = true',
      'up to 5 servers',
    ],
  ],
];

interface Plan {
  readonly resource_changes?: readonly { readonly address: string; readonly change: { readonly actions: string[] } }[];
}

/** What a plan would do: `create module.nomad.linode_instance.servers["nomad-server-4"]`. */
async function planned(where: string, environment: Readonly<Record<string, string>>, ...variables: readonly string[]) {
  const argv = ['plan', '-no-color', '-input=false', '-out=plan', ...variables.map(text => `-var=${text}`)];
  const said = await succeed(argv, where, environment);
  const plan = JSON.parse(await succeed(['show', '-json', 'plan'], where, environment)) as Plan;
  const changes = (plan.resource_changes ?? []).flatMap(({ address, change: { actions } }) =>
    actions.join() === 'no-op' || actions.join() === 'read' ? [] : [`${actions.join('+')} ${address}`],
  );
  return { said, changes };
}

describe.skipIf(whyNoPlan !== undefined)('with the provider, and a stand-in for the API of Linode', () => {
  let api: LinodeApi;
  let environment: Record<string, string>;

  beforeAll(async () => {
    api = await startLinodeApi();
    environment = { LINODE_URL: api.url, LINODE_TOKEN: 'test', LINODE_EVENT_POLL_MS: '20' };
  });
  afterAll(() => api?.close());

  const apply = (where: string) => succeed(['apply', '-no-color', '-input=false', '-auto-approve'], where, environment);
  const made = (request: string) =>
    api.changes
      .filter(change => change.request === request)
      // biome-ignore lint/suspicious/noExplicitAny: what the provider sends
      .map(({ body }) => body as any)
      .sort((a, b) => String(a.label).localeCompare(String(b.label)));

  it("makes the guide's cluster of the example, with tokens of its own, from no more than three variables", async ({
    skip,
  }) => {
    if (whyNoTokens !== undefined) skip(whyNoTokens);
    const example = text('examples/guide/main.tf').replaceAll(/(source +=) "\.\.\/\.\.(.*)"/g, `$1 "${folder}$2"`);
    const variables = `ssh_keys = ["${key}"]\nrelease_url = "https://release.lab"\nprogram = "${path.resolve('dist/nomad-bootstrap')}"\n`;
    await inFolder(example, async where => {
      writeFileSync(path.join(where, 'terraform.tfvars'), variables);
      expect(await succeed(['validate', '-no-color'], where)).toContain('The configuration is valid');
      const { changes } = await planned(where, environment);
      // A seed and its day, two firewalls, and of each of the six a Linode and its health.
      expect(changes.filter(change => change.startsWith('create '))).toHaveLength(16);
      expect(changes).toHaveLength(16);
    });
  });

  it('makes three servers and three clients, each with its user data, behind firewalls that are open for SSH and what was asked for', async () => {
    await inFolder(cluster(`${secure}\n  public_ports = ["3030", "8000-8010"]`), async where => {
      const said = await apply(where);
      expect(said).toContain('8 added, 0 changed, 0 destroyed');
      expect(said).not.toMatch(/deprecated/i);
    });

    const instances = made('POST /linode/instances');
    expect(instances.map(({ label }) => label)).toEqual([
      ...['nomad-client-1', 'nomad-client-2', 'nomad-client-3'],
      ...['nomad-server-1', 'nomad-server-2', 'nomad-server-3'],
    ]);
    for (const {
      label,
      metadata,
      interfaces,
      interface_generation,
      image,
      authorized_keys,
      tags,
      firewall_id,
    } of instances) {
      const [, role = '', number = ''] = label.split('-');
      const userData = Buffer.from(metadata.user_data, 'base64').toString();
      // The same for each of a role: it depends on nothing that changes when the cluster grows.
      await expect(userData).toMatchFileSnapshot(`../golden/deploy/module-${role}.user-data.sh`);
      expect(userData.includes(testServerToken)).toBe(role === 'server');
      // Whatever the account's default is: the new kind takes no such interfaces.
      expect(interface_generation).toBe('legacy_config');
      expect(interfaces).toMatchObject([
        { purpose: 'public' },
        {
          purpose: 'vlan',
          label: 'nomad',
          ipam_address: `10.8.0.${Number(number) + (role === 'server' ? 10 : 100)}/24`,
        },
      ]);
      expect({ image, authorized_keys, tags: tags.toSorted() }).toEqual({
        image: 'linode/debian13',
        authorized_keys: [key],
        tags: ['nomad', `nomad-${role}`],
      });
      expect(firewall_id).toBeGreaterThan(0);
    }
    const rules = made('POST /networking/firewalls').map(({ label, rules: { inbound_policy, inbound } }) => ({
      label,
      inbound_policy,
      // biome-ignore lint/suspicious/noExplicitAny: what the provider sends
      inbound: inbound.map(({ action, protocol, ports, addresses }: any) => [action, protocol, ports, addresses.ipv4]),
    }));
    const everybody = ['0.0.0.0/0'];
    expect(rules).toEqual([
      {
        label: 'nomad-clients',
        inbound_policy: 'DROP',
        inbound: [
          ['ACCEPT', 'TCP', '22', everybody],
          ['ACCEPT', 'TCP', '3030, 8000-8010', everybody],
        ],
      },
      { label: 'nomad-servers', inbound_policy: 'DROP', inbound: [['ACCEPT', 'TCP', '22', everybody]] },
    ]);
  });

  it('grows from three servers to five, with another version, image, key and password, and touches none that exists', async () => {
    await inFolder(cluster(insecure), async where => {
      await apply(where);

      expect((await planned(where, environment)).changes).toEqual([]);
      const grown = await planned(
        where,
        environment,
        ...['server_count=5', 'client_count=4', 'nomad_version=2.0.6', 'linode_image=linode/ubuntu24.04'],
        ...['ssh_keys=["ssh-ed25519 BBBB you"]', 'root_password=test-vector-of-a-password'],
      );
      expect(grown.said).toContain('3 to add, 0 to change, 0 to destroy');
      expect(grown.changes.toSorted()).toEqual([
        'create module.nomad.linode_instance.clients["nomad-client-4"]',
        'create module.nomad.linode_instance.servers["nomad-server-4"]',
        'create module.nomad.linode_instance.servers["nomad-server-5"]',
      ]);
      expect((await planned(where, environment, 'client_count=2')).changes).toEqual([
        'delete module.nomad.linode_instance.clients["nomad-client-3"]',
      ]);
    });
  });

  it('does not make a node anew whose interfaces became the new ones', async () => {
    await inFolder(cluster(insecure), async where => {
      await apply(where);
      const { values } = JSON.parse(await succeed(['show', '-json'], where));
      for (const { type, values: node } of values.root_module.child_modules[0].resources) {
        if (type !== 'linode_instance') continue;
        const body = JSON.stringify({ interface_generation: 'linode' });
        await fetch(`${api.url}/v4/linode/instances/${node.id}`, { method: 'PUT', body });
      }
      expect((await planned(where, environment)).changes.join('\n')).not.toContain('delete');
    });
  });

  it('puts the cluster on a VPC, whose own traffic passes, and the servers on different hosts', async () => {
    api.changes.splice(0);
    await inFolder(cluster(`${insecure}\n  network = "vpc"\n  placement_group = true`), async where => {
      await apply(where);
      expect((await planned(where, environment, 'server_count=5')).changes).toEqual([
        'create module.nomad.linode_instance.servers["nomad-server-4"]',
        'create module.nomad.linode_instance.servers["nomad-server-5"]',
      ]);
    });

    const [client, , , server] = made('POST /linode/instances');
    expect(client.interfaces[1]).toMatchObject({ purpose: 'vpc', ipv4: { vpc: '10.8.0.101' } });
    expect(client.placement_group).toBeUndefined();
    expect(server.placement_group.id).toBeGreaterThan(0);
    const [firewall] = made('POST /networking/firewalls');
    expect(firewall.rules.inbound.slice(1)).toMatchObject(
      ['TCP', 'UDP', 'ICMP'].map(protocol => ({ protocol, addresses: { ipv4: ['10.8.0.0/24'] } })),
    );
  });

  describe.each(refusals.map(cases => ({ cases })))('before anything is made', ({ cases }) => {
    let errors: readonly string[];

    // All at once, each as a module of its own: a plan goes on after an error, and most of its time is its start.
    beforeAll(async () => {
      const modules = cases.map(([, token, change], at) => moduleOf(`case_${at}`, token, change));
      await inFolder(`${variables}\n${modules.join('\n')}`, async where => {
        const { status, stderr } = await terraform(['plan', '-no-color', '-input=false'], where, environment);
        expect(status).toBe(1);
        errors = stderr.split(/^Error: /m);
      });
    });

    it.each(cases.map(([what, , , reason], at) => [what, reason, at] as const))('refuses %s', (_, reason, at) => {
      const own = errors.filter(error => new RegExp(`modules?[ ./]"?case_${at}\\b`).test(error)).join('\n');
      expect(own.replaceAll(/\s+/g, ' ')).toContain(reason);
    });
  });
});

describe.skipIf(whyNoTokens !== undefined)("the module that makes a cluster's tokens", () => {
  it('makes two that belong together, once, and shows neither', async () => {
    const configuration = `module "tokens" {
  source  = "${folder}/tokens"
  program = "${path.resolve('dist/nomad-bootstrap')}"
}
output "server" {
  sensitive = true
  value = module.tokens.server_token
}
output "client" {
  sensitive = true
  value = module.tokens.client_token
}`;
    await inFolder(configuration, async where => {
      const said = await succeed(['apply', '-no-color', '-auto-approve'], where);
      const output = async (name: string) => new Secret(await succeed(['output', '-raw', name], where));
      const [server, client] = [await output('server'), await output('client')];
      const parsed = parseToken(server);
      if (parsed.kind !== 'server') expect.fail('it is no server token');
      expect((await clientTokenOf(parsed)).reveal()).toBe(client.reveal());
      expect(parsed).toMatchObject({ region: 'global', datacenter: undefined, epoch: 1 });
      const shown = (text: string) => [server, client, parsed.seed].map(secret => text.includes(secret.reveal()));
      expect(shown(said)).toEqual([false, false, false]);
      // Of what a data source answered it is not known there that it is a secret.
      expect(shown(await succeed(['show', '-no-color'], where))).toEqual([false, true, false]);
      expect(shown(await succeed(['plan', '-destroy', '-no-color'], where))).toEqual([false, false, false]);

      const again = await succeed(['apply', '-no-color', '-auto-approve'], where);
      expect(again).toContain('0 added, 0 changed, 0 destroyed');
      expect((await output('client')).reveal()).toBe(client.reveal());

      // For whatever reason they are to be read anew, or the region was changed: they stay, and stay hidden.
      const changed = configuration
        .replace('\n}', '\n  region = "other"\n  depends_on = [terraform_data.other]\n}')
        .concat('\nresource "terraform_data" "other" {\n  input = 1\n}\n');
      writeFileSync(path.join(where, 'main.tf'), changed);
      expect(shown(await succeed(['plan', '-no-color'], where))).toEqual([false, false, false]);
      await succeed(['apply', '-no-color', '-auto-approve'], where);
      expect((await output('server')).reveal()).toBe(server.reveal());
    });
  });
});
