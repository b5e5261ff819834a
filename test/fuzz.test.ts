/**
 * Whatever comes in from outside is understood or refused in words: never a stack trace, never a hang. Each kind of input is followed as far
 * as it goes without a host; test/cluster/refusals.lab.test.ts has the executable as a whole, on a node.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parseCommandLine } from '../src/cli.ts';
import type { NodeConfig } from '../src/config/config.ts';
import { decide } from '../src/config/decide.ts';
import { environmentLayer, fileLayer, mergeLayers } from '../src/config/load.ts';
import { flagName, namesOf, type OptionName, options, type Settings, variableName } from '../src/config/options.ts';
import { parseRecord, recordedLayer, renderRecord } from '../src/config/record.ts';
import { decideRole } from '../src/config/tags.ts';
import { BootstrapError } from '../src/core/errors.ts';
import { createJournal } from '../src/core/journal.ts';
import { candidateAddresses } from '../src/facts/candidates.ts';
import type { Facts } from '../src/facts/facts.ts';
import { parseInstanceData } from '../src/facts/linode.ts';
import { parseOsRelease } from '../src/facts/os-release.ts';
import { parseLinodeMetadata, parseToken } from '../src/host/linode-metadata.ts';
import { platformFor, unsupportedReason } from '../src/platforms/index.ts';
import { decompress, primaryLocation, searchAptIndex, searchDnfIndex } from '../src/resolution/indexes.ts';
import { installedRelease, newestFirst } from '../src/resolution/package-version.ts';
import { serverVersions } from '../src/resolution/server-versions.ts';
import { quorumGuard } from '../src/resources/quorum-guard.ts';
import { whatWasMade } from '../src/resources/undo.ts';
import { consulConfig } from '../src/steps/consul.ts';
import { nomadConfig } from '../src/steps/nomad.ts';
import { isNode } from '../src/target.ts';
import { type FixtureAnswer, fixtureHost } from './support/fixture-host.ts';
import { factsOf, hostNames } from './support/hosts.ts';
import { targetOn } from './support/target.ts';

/** How many inputs of each kind. Command lines cost most: yargs takes milliseconds for each. */
const cases = {
  commandLines: 250,
  settings: 7000,
  configFiles: 4500,
  records: 2500,
  osReleases: 3500,
  metadata: 3000,
  agents: 1500,
  journals: 1000,
  indexes: 1000,
};
const total = Object.values(cases).reduce((sum, count) => sum + count);

afterAll(() => process.stdout.write(`fuzz: ${total} inputs in this process\n`));

/** Understood, or refused with something to do about it. */
async function understoodOrRefused<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    expect(error.message).not.toMatch(/undefined|\[object/);
    expect(error.hint).not.toBe('');
    return undefined;
  }
}

const names = Object.keys(options) as OptionName[];
const allFacts = await Promise.all(hostNames.map(factsOf));
const someFacts = fc.constantFrom(...allFacts);
const server = await targetOn('debian-12');

/** Near the truth, or far from it. */
const words = fc.oneof(
  fc.constantFrom(
    ...[
      '3',
      '0',
      '-1',
      '1e9',
      'true',
      'no',
      'auto',
      'vlan',
      'linode:tag=nomad',
      'linode:tag=a,region=b,address-type=public_v4',
      'public',
      'eth1',
      '10.20.0.12',
      '10.20.0.0/24',
      '10.0.0.1,b',
    ],
    ...[
      'latest',
      '2.0.5',
      '1.21.4',
      'web-1',
      'a b',
      'k=v',
      '=',
      '',
      '/',
      '../..',
      '/dev/null',
      'https://x',
      'file:///x',
    ],
    ...[
      '\u0000',
      '\n',
      '"',
      '$' + '{x}',
      'ü',
      '\u202e',
      '\ud800',
      '[hidden]',
      '__proto__',
      'constructor',
      'a'.repeat(300),
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 16 }),
);
const yamlValues = fc.oneof(
  words,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(words, { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Some settings, each with a value that it may have or with any. */
const someSettings = fc.dictionary(fc.constantFrom(...names.flatMap(namesOf)), yamlValues, { maxKeys: 6 });

/** A document with one value somewhere in it replaced, or left out. */
function mutant(document: unknown): fc.Arbitrary<unknown> {
  const anything = fc.oneof(fc.jsonValue({ maxDepth: 1 }), words, fc.constant(undefined));
  if (typeof document !== 'object' || document === null || Object.keys(document).length === 0) return anything;
  return fc
    .constantFrom(...Object.keys(document))
    .chain(key =>
      fc
        .oneof(
          { weight: 1, arbitrary: anything },
          { weight: 3, arbitrary: mutant((document as Record<string, unknown>)[key]) },
        )
        .map(value =>
          Array.isArray(document)
            ? document.map((item: unknown, index) => (String(index) === key ? value : item))
            : { ...document, [key]: value },
        ),
    );
}

/** A text that is almost the one given: cut, or with something put into it. */
function almost(text: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat(text.length), fc.nat(8), fc.oneof(words, fc.constant('')))
    .map(([at, gone, put]) => text.slice(0, at) + put + text.slice(at + gone));
}

/** From settings to the files that both agents would get. */
function followed(settings: Settings, facts: Facts): void {
  for (const role of ['server', 'client', 'dev', 'image'] as const) {
    const config = decide(role, settings, undefined, facts);
    const target = { ...server, facts, config };
    if (!isNode(target)) continue;
    nomadConfig(target);
    consulConfig(target);
    parseRecord(renderRecord(config, target.resolution));
  }
}

describe('understood or refused in words, whatever it is:', () => {
  it('a command line', async () => {
    const flags = names.flatMap(namesOf).flatMap(flag => [`--${flag}`, `--no-${flag}`]);
    const word = fc.oneof(
      fc.constantFrom(...flags, '--', '-', '-h', '--version', 'help', 'create'),
      words,
      fc.tuple(fc.constantFrom(...flags), words).map(([flag, value]) => `${flag}=${value}`),
    );
    const command = fc.constantFrom(
      'server',
      'client',
      'auto',
      'dev',
      'image',
      'uninstall',
      'verify',
      'token',
      'facts',
    );
    await fc.assert(
      fc.asyncProperty(command, fc.array(word, { maxLength: 5 }), (first, rest) =>
        understoodOrRefused(() => {
          const invocation = parseCommandLine([first, ...rest], 100);
          if (invocation.kind === 'command') mergeLayers([invocation.layer]);
        }).then(() => {}),
      ),
      { numRuns: cases.commandLines },
    );
  }, 60_000);

  it('settings of flags and variables, to the files that they make', async () => {
    const layer = someSettings.map(given => ({
      place: (name: OptionName) => `--${flagName(name)}`,
      values: Object.fromEntries(
        names.map(name => [
          name,
          namesOf(name)
            .map(key => given[key])
            .find(value => value !== undefined),
        ]),
      ),
    }));
    const variables = fc.dictionary(
      fc.oneof(
        fc.constantFrom(...names.map(variableName)),
        words.map(word => `NOMAD_BOOTSTRAP_${word}`),
      ),
      words,
      { maxKeys: 4 },
    );
    await fc.assert(
      fc.asyncProperty(layer, variables, fc.boolean(), someFacts, (flags, environment, alone, facts) =>
        understoodOrRefused(() => {
          const settings = mergeLayers(alone ? [flags] : [flags, environmentLayer(environment)]);
          followed({ insecure: true, ...settings }, facts);
        }).then(() => {}),
      ),
      { numRuns: cases.settings },
    );
  });

  it('a --config file', async () => {
    const line = fc
      .tuple(fc.constantFrom(...names.map(flagName)), yamlValues)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
    const snippets = [
      'expect:',
      ' 3',
      '\n',
      '- ',
      '&a',
      '*a',
      '!x',
      '{',
      '}',
      '[',
      '?',
      '|',
      '>',
      '"',
      "'",
      '#',
      '\t',
      '%YAML 1.2\n',
      '---\n',
      '<<: ',
    ];
    const text = fc.oneof(
      fc.array(line, { maxLength: 4 }).map(lines => lines.join('\n')),
      fc.array(fc.oneof(fc.constantFrom(...snippets), words)).map(parts => parts.join('')),
      almost('expect: 3\njoin:\n  - 10.20.0.12\n  - "vlan"\nmeta:\n  rack: a1\n  x: &anchor [1, 2]\n'),
    );
    await fc.assert(
      fc.asyncProperty(text, someFacts, (content, facts) =>
        understoodOrRefused(async () =>
          followed({ insecure: true, ...mergeLayers([await fileLayer('/x.yaml', content)]) }, facts),
        ).then(() => {}),
      ),
      { numRuns: cases.configFiles },
    );
  });

  it('a record of what the node is', async () => {
    const record = JSON.parse(renderRecord(server.config, server.resolution));
    record.config.node.join.push({ search: { tag: 'nomad', region: 'us-east', addressType: 'private_v4' } });
    expect(parseRecord(JSON.stringify(record))).toEqual(record);
    const text = fc.oneof(
      mutant(record).map(value => JSON.stringify(value) ?? ''),
      almost(JSON.stringify(record)),
    );
    await fc.assert(
      fc.asyncProperty(text, someSettings, (content, given) =>
        understoodOrRefused(() => {
          const recorded = parseRecord(content);
          const flags = {
            place: (name: OptionName) => name,
            values: Object.fromEntries(names.map(name => [name, given[name]])),
          };
          const settings = mergeLayers([flags, recordedLayer(recorded)]);
          decide(decideRole(settings, recorded, server.facts).role, settings, recorded, server.facts);
        }).then(() => {}),
      ),
      { numRuns: cases.records },
    );
  });

  it('an os-release file', async () => {
    const keys = [
      'ID',
      'ID_LIKE',
      'VERSION_ID',
      'VERSION_CODENAME',
      'UBUNTU_CODENAME',
      'DEBIAN_CODENAME',
      'PRETTY_NAME',
      'NAME',
    ];
    const value = fc.oneof(
      fc.constantFrom(
        'debian',
        'ubuntu',
        'rhel',
        'fedora',
        '"rhel fedora"',
        "'12'",
        '"13"',
        '24.04',
        '9.6',
        '10',
        '"a\\"b"',
        '"',
        "'",
      ),
      words,
    );
    const text = fc.oneof(
      fc.array(fc.tuple(fc.constantFrom(...keys), value).map(pair => pair.join('='))).map(lines => lines.join('\n')),
      almost('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'),
    );
    await fc.assert(
      fc.asyncProperty(text, someFacts, (content, facts) =>
        understoodOrRefused(() => {
          const os = parseOsRelease(content);
          const here = { ...facts, os };
          if (unsupportedReason(here) !== undefined) return;
          const platform = platformFor(os);
          platform.distributionDockerPackages(os);
          expect(platform.hashicorp(here, server.config).candidates).not.toEqual([]);
        }).then(() => {}),
      ),
      { numRuns: cases.osReleases },
    );
  });

  it("an answer of Linode's metadata service", async () => {
    const instance = {
      id: 1,
      label: 'web-1',
      region: 'us-east',
      type: 'g6-nanode-1',
      tags: ['nomad-server', 'nomad-expect-3'],
    };
    const network = {
      interfaces: [
        { purpose: 'public', label: '', ipam_address: '' },
        { purpose: 'vlan', label: 'nomad', ipam_address: '10.20.0.11/24' },
      ],
      ipv4: { public: ['203.0.113.7/32'], private: ['192.168.130.5/17'], shared: [] },
    };
    const cloudInit = { v1: { cloud_name: 'akamai' }, ds: { meta_data: instance } };
    const textOf = (document: object) =>
      fc.oneof(
        mutant(document).map(value => JSON.stringify(value) ?? ''),
        almost(JSON.stringify(document)),
      );
    await fc.assert(
      fc.asyncProperty(textOf(instance), textOf(network), textOf(cloudInit), someFacts, (one, other, cached, facts) =>
        understoodOrRefused(() => {
          parseToken(one);
          const metadata = parseLinodeMetadata(one, other);
          const linode =
            metadata === undefined ? parseInstanceData(cached) : { ...metadata, source: 'metadata' as const };
          const here: Facts = { ...facts, linode, candidates: candidateAddresses(facts.addresses, metadata) };
          const { role, settings } = decideRole({ insecure: true }, undefined, here);
          const config = decide(role, settings, undefined, here);
          const target = { ...server, facts: here, config };
          if (isNode(target)) nomadConfig(target);
        }).then(() => {}),
      ),
      { numRuns: cases.metadata },
    );
  });

  it("what agents say before a server's restart, and before a client's installation", async () => {
    const consul = { Status: 1, Tags: { role: 'consul', build: '1.21.4:59b8b905' } };
    const answers: Readonly<Record<string, unknown>> = {
      '4646/v1/status/peers': ['10.0.0.11:4647', '10.0.0.12:4647', '10.0.0.13:4647'],
      '4646/v1/operator/autopilot/health': { Healthy: true, FailureTolerance: 1, Servers: [{ Healthy: true }] },
      '4646/v1/agent/members': { Members: [{ Status: 'alive', Tags: { region: 'global', build: '2.0.5' } }] },
      '8500/v1/agent/members': [consul, consul, consul],
    };
    const odd = (body: unknown): fc.Arbitrary<FixtureAnswer> =>
      fc.oneof(
        fc.constant<FixtureAnswer>('unreachable'),
        fc.record({
          status: fc.constantFrom(200, 403, 429, 500),
          body: fc.oneof(
            mutant(body).map(value => JSON.stringify(value) ?? ''),
            words,
          ),
        }),
      );
    const requests = fc.record(
      Object.fromEntries(Object.entries(answers).map(([path, body]) => [`GET http://127.0.0.1:${path}`, odd(body)])),
    );
    const target = { config: { node: { runsServer: true }, force: false } };
    const client = { ...server.config.node, runsServer: false, join: [] } as unknown as NodeConfig;
    await fc.assert(
      fc.asyncProperty(requests, async answered => {
        const host = fixtureHost({ requests: answered });
        await understoodOrRefused(() => quorumGuard('Nomad', 'http://127.0.0.1:4646', target)(host));
        for (const version of Object.values(await serverVersions(host, client))) {
          expect(version).toMatch(/^\d+\.\d+\.\d+$/);
        }
      }),
      { numRuns: cases.agents },
    );
  });

  it('a journal', async () => {
    const files = [
      { path: '/etc/x', former: { contentBase64: 'eA==', attributes: { mode: 0o644, owner: 'root:root' } } },
    ];
    const undos = [
      { kind: 'files', files },
      { kind: 'directory', path: '/etc/y' },
      { kind: 'attributes', path: '/etc/y', attributes: { mode: 0o755, owner: 'root:root' } },
      {
        kind: 'packages',
        manager: 'apt',
        names: ['nomad'],
        before: ['bash'],
        existing: { users: [], groups: [], directories: [], files },
      },
      { kind: 'agent', unit: 'nomad', files, directories: ['/etc/y'], enabled: false, active: true },
      { kind: 'service', unit: 'docker', enabled: true, running: true },
    ];
    const entry = fc
      .constantFrom(...undos)
      .map(undo => ({ entry: 0, id: 'file:/etc/x', undo, at: '2026-11-22T12:00:00Z' }));
    // A line that is no JSON object is none to whoever reads the file (host/files.ts).
    const line = entry.chain(mutant).filter(value => typeof value === 'object' && value !== null);
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 3 }), lines =>
        understoodOrRefused(async () => {
          const log = { append: async () => {}, lines: async () => lines.map(each => JSON.stringify(each)) };
          whatWasMade(await createJournal(log, () => new Date(0)).entries());
        }).then(() => {}),
      ),
      { numRuns: cases.journals },
    );
  });

  it("a repository's index", async () => {
    const packages = 'Package: nomad\nVersion: 2.0.5-1\nArchitecture: amd64\n\nPackage: consul\nVersion: 1.21.4-1\n';
    const primary = '<package><name>nomad</name><arch>x86_64</arch><version epoch="0" ver="2.0.5" rel="1"/></package>';
    await fc.assert(
      fc.asyncProperty(almost(packages), almost(primary), fc.uint8Array({ maxLength: 64 }), (apt, dnf, bytes) =>
        understoodOrRefused(async () => {
          const found = [...searchAptIndex(apt, ['nomad', 'consul']), ...searchDnfIndex(dnf, ['nomad'], 'x86_64')];
          newestFirst(found.map(({ packageVersion }) => packageVersion));
          for (const { packageVersion } of found) installedRelease(packageVersion);
          primaryLocation(dnf);
          await decompress('https://x/Packages.gz', bytes);
        }).then(() => {}),
      ),
      { numRuns: cases.indexes },
    );
  });
});
