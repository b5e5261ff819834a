import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import { parseLinodeMetadata, parseToken, type Request, readLinodeMetadata } from '../../src/host/linode-metadata.ts';

const instance = {
  id: 51234501,
  label: 'nomad-s1',
  region: 'de-fra-2',
  type: 'g6-standard-2',
  host_uuid: 'a631b16d14534d84e2830da16d1b28e1d08d24df',
  tags: ['nomad-server'],
  specs: { vcpus: 2, memory: 4096, disk: 81920, transfer: 4000, gpus: 0 },
  backups: { enabled: false, status: null },
};
const network = {
  interfaces: [
    { label: null, purpose: 'public', ipam_address: null },
    { label: 'nomad', purpose: 'vlan', ipam_address: '10.0.0.21/24' },
    { label: '', purpose: 'vpc', ipam_address: '' },
  ],
  ipv4: { public: ['203.0.113.21/32'], private: ['192.168.140.77/17'], shared: [] },
  ipv6: { slaac: '2600:3c06::f03c:94ff:fe00:15/128', link_local: 'fe80::1/128', ranges: [], shared_ranges: [] },
};
const expected = {
  id: 51234501,
  label: 'nomad-s1',
  region: 'de-fra-2',
  type: 'g6-standard-2',
  tags: ['nomad-server'],
  interfaces: [
    { purpose: 'public' },
    { purpose: 'vlan', label: 'nomad', ipamAddress: '10.0.0.21/24' },
    { purpose: 'vpc' },
  ],
  publicIpv4: ['203.0.113.21'],
  privateIpv4: ['192.168.140.77'],
};

type Answer = { status?: number; body: string } | 'unreachable';

/** A service as a table of `METHOD url`; what it does not list is unreachable. */
function service(answers: Readonly<Record<string, Answer>>) {
  const asked: string[] = [];
  const request: Request = async (url, options = {}) => {
    const method = 'method' in options ? options.method : 'GET';
    const token = options.headers?.['Metadata-Token'];
    asked.push(`${method} ${url}${token === undefined ? '' : ` ${token}`}`);
    const answer = answers[`${method} ${url}`] ?? 'unreachable';
    if (answer === 'unreachable') throw new BootstrapError('unreachable', url, { hint: 'x' });
    return { status: answer.status ?? 200, headers: {}, body: new TextEncoder().encode(answer.body) };
  };
  return { request, asked };
}

function answersAt(base: string): Record<string, Answer> {
  return {
    [`PUT ${base}/v1/token`]: { body: '["secret-token"]' },
    [`GET ${base}/v1/instance`]: { body: JSON.stringify(instance) },
    [`GET ${base}/v1/network`]: { body: JSON.stringify(network) },
  };
}

const v4 = 'http://169.254.169.254';
const v6 = 'http://[fd00:a9fe:a9fe::1]';

describe('the metadata service', () => {
  test('is asked for a token, then with it for the instance and its network', async () => {
    const { request, asked } = service(answersAt(v4));
    expect(await readLinodeMetadata(request, 2000)).toEqual(expected);
    expect(asked).toEqual([
      `PUT ${v4}/v1/token`,
      `GET ${v4}/v1/instance secret-token`,
      `GET ${v4}/v1/network secret-token`,
    ]);
  });

  test('is asked over IPv6 when nothing answers over IPv4', async () => {
    const { request, asked } = service(answersAt(v6));
    expect(await readLinodeMetadata(request, 2000)).toEqual(expected);
    expect(asked[0]).toBe(`PUT ${v4}/v1/token`);
  });

  test.each<[string, Record<string, Answer>]>([
    ['does not answer', {}],
    ['refuses a token', { [`PUT ${v4}/v1/token`]: { status: 403, body: '["secret-token"]' } }],
    ['is a portal that answers everything with a page', { [`PUT ${v4}/v1/token`]: { body: '<html>Log in</html>' } }],
    ['knows no instance', { ...answersAt(v4), [`GET ${v4}/v1/instance`]: { status: 404, body: '{}' } }],
    ['breaks off', { ...answersAt(v4), [`GET ${v4}/v1/network`]: { body: '{"interfaces":[' } }],
    ['dies in between', { ...answersAt(v4), [`GET ${v4}/v1/network`]: 'unreachable' }],
  ])('says nothing when it %s', async (_, answers) => {
    expect(await readLinodeMetadata(service(answers).request, 2000)).toBeUndefined();
  });

  test('passes on what is no failure of the network', async () => {
    const interrupted = new BootstrapError('interrupted', 'Ctrl-C', { hint: 'x' });
    await expect(readLinodeMetadata(() => Promise.reject(interrupted), 2000)).rejects.toBe(interrupted);
  });
});

describe('a token', () => {
  test('comes as an array of one or as bare text', () => {
    expect(parseToken('["4fa1a6d669087162"]')).toBe('4fa1a6d669087162');
    expect(parseToken('4fa1a6d669087162\n')).toBe('4fa1a6d669087162');
  });
  test.each(['', '[]', '[7]', '<html>', '["with\\r\\nHeader: x"]', '{"token":"4fa1a6d669087162"}'])(
    'is not %j',
    body => {
      expect(parseToken(body)).toBeUndefined();
    },
  );
});

describe('the documents of the service', () => {
  const parse = (i: unknown, n: unknown) => parseLinodeMetadata(JSON.stringify(i), JSON.stringify(n));

  test('may name interfaces in the shape of Linode Interfaces', () => {
    const interfaces = [
      { id: 1, public: { ipv4: { addresses: [] } }, vlan: null, vpc: null },
      { id: 2, public: null, vlan: { vlan_label: 'nomad', ipam_address: '10.0.0.21/24' }, vpc: null },
      { id: 3, public: null, vlan: null, vpc: { vpc_id: 7, subnet_id: 8 } },
    ];
    expect(parse(instance, { ...network, interfaces })?.interfaces).toEqual(expected.interfaces);
  });

  test('may leave out lists, and give addresses without a prefix length', () => {
    const bare = { id: 1, label: 'a', region: 'us-ord' };
    expect(parse(bare, { ipv4: { public: ['203.0.113.21'] } })).toEqual({
      ...bare,
      type: '',
      tags: [],
      interfaces: [],
      publicIpv4: ['203.0.113.21'],
      privateIpv4: [],
    });
  });

  test('may have an interface of a purpose that is not known yet: it counts as public', () => {
    expect(parse(instance, { interfaces: [{ purpose: 'rdma' }] })?.interfaces).toEqual([{ purpose: 'public' }]);
  });

  test.each<[string, unknown, unknown]>([
    ['no id', { ...instance, id: undefined }, network],
    ['an id that is no number', { ...instance, id: '51234501' }, network],
    ['a negative id', { ...instance, id: -1 }, network],
    ['an empty region', { ...instance, region: '' }, network],
    ['a label with a line break', { ...instance, label: 'a\nb' }, network],
    ['tags that are no list', { ...instance, tags: 'nomad-server' }, network],
    ['tags that are no words', { ...instance, tags: [1] }, network],
    ['interfaces that are no list', instance, { ...network, interfaces: {} }],
    ['an interface that is a word', instance, { ...network, interfaces: ['eth0'] }],
    ['addresses that are no list', instance, { ...network, ipv4: { public: '203.0.113.21' } }],
    ['an error', { errors: [{ reason: 'Not found' }] }, network],
    ['a list', [], network],
  ])('are not believed with %s', (_, wrongInstance, wrongNetwork) => {
    expect(parse(wrongInstance, wrongNetwork)).toBeUndefined();
  });

  test('are parsed or refused, whatever they are, and never an error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(instance)), fc.jsonValue(), fc.jsonValue(), (key, value, other) => {
        const parsed = parse({ ...instance, [key]: value }, other);
        expect(parsed === undefined || parsed.id > 0).toBe(true);
        expect(parse(value, other)).toBeUndefined();
      }),
    );
  });
});
