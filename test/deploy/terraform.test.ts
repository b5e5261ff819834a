import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderUserData, terraform, whyNoTerraform } from './terraform.ts';

if (whyNoTerraform !== undefined) process.stderr.write(`skipped: test/deploy/terraform.test.ts: ${whyNoTerraform}\n`);

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
  it('is formatted as Terraform formats', () => {
    expect(terraform(['fmt', '-check', '-diff', '-recursive', '-no-color', folder], folder)).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });

  it.each(Object.entries(nodes))('gives a node exactly this user data: %s', async (name, arguments_) => {
    await expect(renderUserData(arguments_)).toMatchFileSnapshot(`../golden/deploy/${name}.user-data.sh`);
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
  ])('refuses a %s that cannot be used', (_, arguments_, reason) => {
    expect(() => renderUserData(arguments_)).toThrow(reason);
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

    // A bool is one already; free text and further settings are judged by whoever gets them.
    const free = ['root_password', 'bootstrap_expect', 'settings', 'client_settings', 'ssh_private_key_file'];
    for (const { name, body } of blocks(text('variables.tf'), 'variable')) {
      const judged =
        /^ {2}validation \{/m.test(body) || /type\s+= bool/.test(body) || free.includes(name.replaceAll('"', ''));
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
