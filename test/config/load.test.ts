import { describe, expect, it } from 'vitest';
import { environmentLayer, fileLayer, type Layer, mergeLayers } from '../../src/config/load.ts';
import { type OptionName, options, variableName } from '../../src/config/options.ts';

function flags(values: Layer['values']): Layer {
  return { place: name => `--${name}`, values };
}

describe('settings', () => {
  it('come from the flags, else the variables, else the file, else the record', async () => {
    const layers = [
      flags({ expect: '3' }),
      environmentLayer({ NOMAD_BOOTSTRAP_EXPECT: '5', NOMAD_BOOTSTRAP_REGION: 'eu' }),
      await fileLayer('nodes.yaml', 'expect: 7\nregion: us\nname: web-1\n'),
      flags({ name: 'recorded', docker: 'distro' }),
    ];

    expect(mergeLayers(layers)).toEqual({ expect: 3, region: 'eu', name: 'web-1', docker: 'distro' });
  });

  it('are the same from a flag, a variable and a file', async () => {
    const fromFlags = mergeLayers([
      flags({ join: ['10.0.0.1,10.0.0.2', 'nomad-s3'], meta: ['rack=r1', 'note=a=b, c'], rawExec: true, wait: '30' }),
    ]);
    const fromVariables = mergeLayers([
      environmentLayer({
        NOMAD_BOOTSTRAP_JOIN: '10.0.0.1, 10.0.0.2,nomad-s3',
        NOMAD_BOOTSTRAP_META: 'rack=r1',
        NOMAD_BOOTSTRAP_RAW_EXEC: 'true',
        NOMAD_BOOTSTRAP_WAIT: '30',
      }),
    ]);
    const fromFile = mergeLayers([
      await fileLayer(
        'f',
        'retry-join: [10.0.0.1, 10.0.0.2, nomad-s3]\nmeta: {rack: r1, note: "a=b, c"}\nraw-exec: true\nwait: 30\n',
      ),
    ]);

    expect(fromFlags).toEqual({
      join: ['10.0.0.1', '10.0.0.2', 'nomad-s3'],
      meta: { rack: 'r1', note: 'a=b, c' },
      rawExec: true,
      wait: 30,
    });
    expect(fromFile).toEqual(fromFlags);
    expect(fromVariables).toEqual({ ...fromFlags, meta: { rack: 'r1' } });
  });

  it('take a pair of the command line as it is, once or twice, and the variable apart at its commas', () => {
    const meta = (values: unknown) => mergeLayers([flags({ meta: values })]).meta;

    expect(meta('note=a, b=c')).toEqual({ note: 'a, b=c' });
    expect(meta(['note=a, b=c', 'rack=r1'])).toEqual({ note: 'a, b=c', rack: 'r1' });
    expect(mergeLayers([environmentLayer({ NOMAD_BOOTSTRAP_META: 'rack=r1,disk=fast' })]).meta).toEqual({
      rack: 'r1',
      disk: 'fast',
    });
  });

  it('know a setting by its other name as a variable too, and refuse both', () => {
    const both = { NOMAD_BOOTSTRAP_EXPECT: '3', NOMAD_BOOTSTRAP_BOOTSTRAP_EXPECT: '3' };

    expect(mergeLayers([environmentLayer({ NOMAD_BOOTSTRAP_BOOTSTRAP_EXPECT: '3' })])).toEqual({ expect: 3 });
    expect(() => environmentLayer(both)).toThrow(
      expect.objectContaining({
        code: 'bad-setting',
        message: 'NOMAD_BOOTSTRAP_EXPECT and NOMAD_BOOTSTRAP_BOOTSTRAP_EXPECT are one, and both are set',
      }),
    );
  });

  it('take back with an empty value what was recorded, where nothing may be wanted again', () => {
    const recorded = flags({ mirror: 'https://m', nodeClass: 'gpu', nodePool: 'batch' });

    expect(mergeLayers([flags({ mirror: '', nodeClass: '' }), recorded])).toEqual({ nodePool: 'batch' });
    expect(mergeLayers([environmentLayer({ NOMAD_BOOTSTRAP_MIRROR: '' }), recorded]).mirror).toBe('https://m');
    expect(() => mergeLayers([flags({ nodePool: '' }), recorded])).toThrow(/must consist of/);
  });

  it('know the commas within a search from those between servers', async () => {
    const search = 'linode:tag=nomad:prod,region=us-east,address-type=vpc_v4';
    const expected = { join: ['10.0.0.1', search, 'nomad-s3'] };

    expect(mergeLayers([flags({ join: [`10.0.0.1,${search},nomad-s3`] })])).toEqual(expected);
    expect(mergeLayers([environmentLayer({ NOMAD_BOOTSTRAP_JOIN: `10.0.0.1, ${search}, nomad-s3` })])).toEqual(
      expected,
    );
    expect(mergeLayers([await fileLayer('f', `join: [10.0.0.1, "${search}", nomad-s3]`)])).toEqual(expected);
  });

  it('leave out variables that are empty, such as the field of a StackScript that nobody filled in', () => {
    expect(mergeLayers([environmentLayer({ NOMAD_BOOTSTRAP_EXPECT: '', OTHER: 'x' })])).toEqual({});
  });

  it.each<[string, Partial<Record<OptionName, unknown>>, RegExp]>([
    ['a count of no servers', { expect: '0' }, /--expect 0: must be at least 1/],
    ['half a server', { expect: '1.5' }, /must be a whole number/],
    ['a number in words', { expect: 'three' }, /must be a whole number/],
    ['a scalar given twice', { expect: ['3', '5'] }, /given more than once/],
    ['a name with a quote', { name: 'a"b' }, /--name a\\"b: must consist of/],
    ['a name with a newline', { name: 'a\nb' }, /--name a\\nb: must consist of/],
    ['localhost as a name', { name: 'localhost' }, /must not be localhost/],
    ['an address with a port', { join: '10.0.0.1:8301' }, /must list IPv4 addresses or host names/],
    ['an address that Go takes for a name', { join: '10.0.0.01' }, /must list IPv4 addresses or host names/],
    ['this machine as a server elsewhere', { join: '10.0.0.1,127.0.0.1' }, /at which other machines can be reached/],
    ['localhost as a server elsewhere', { join: 'localhost' }, /at which other machines can be reached/],
    ['no address in particular', { join: '0.0.0.0' }, /at which other machines can be reached/],
    ['everybody as a server', { join: '255.255.255.255' }, /at which other machines can be reached/],
    ['a network that there cannot be', { network: '10.0.0.0/33' }, /must be an IPv4 network such as 10\.0\.0\.0\/24/],
    ['an interface with a slash', { network: 'eth0/24' }, /must be an IPv4 network/],
    ['an IPv6 address', { network: 'fe80::1' }, /must be an IPv4 address/],
    [
      'an evaluation in the metadata',
      { meta: [`rack=$${'{env}'}`] },
      /--meta .*rack=\$\{env\}.*: values must not hold/,
    ],
    ['a directive in the metadata', { meta: ['rack=%{ if true }'] }, /values must not hold/],
    ['a prototype in the metadata', { meta: ['__proto__=1'] }, /must/],
    ['an address out of range', { join: '10.0.0.256' }, /must list IPv4 addresses or host names/],
    ['a shortened address', { join: '10.1' }, /must list IPv4 addresses or host names/],
    ['no address', { join: ' , ' }, /must name at least one server/],
    ['a shell command as an address', { join: '$(reboot)' }, /must list IPv4/],
    ['a word for a version', { nomadVersion: 'newest' }, /must be `latest` or an exact version/],
    ['a version that no release can have', { nomadVersion: '2.00.5' }, /must be `latest` or an exact version/],
    ['an unknown source of Docker', { docker: 'podman' }, /must be auto, distro or none/],
    ['metadata without a value', { meta: ['rack'] }, /must be key=value/],
    ['metadata with a bad key', { meta: ['a b=c'] }, /must/],
    ['a mirror that is no address', { mirror: 'ftp://x' }, /must be an http:\/\/ or https:\/\/ address/],
    ['a mirror that is a number', { mirror: '3' }, /must be an http:\/\/ or https:\/\/ address/],
    ['a mirror of two lines', { mirror: 'https://x/\nTrusted: yes' }, /without white space/],
    ['a mirror with a query', { mirror: 'https://x/?a=b' }, /without white space, quotes, query/],
    ['a mirror with a password', { mirror: 'https://me:secret@x' }, /must not hold a user name or password/],
    ['a short fingerprint', { hashicorpKeyFingerprint: 'D55C' }, /40 hexadecimal digits/],
    ['a short digest', { cniSha256: 'abc' }, /64 hexadecimal digits/],
    ['a file without a name', { tokenFile: '' }, /must name a file/],
    ['a wait without an end', { wait: '1e9' }, /whole number/],
    ['a negative wait', { wait: '-1' }, /at least 0/],
  ])('refuse %s and say what is right', (_, values, message) => {
    expect(() => mergeLayers([flags(values)])).toThrow(
      expect.objectContaining({ code: 'bad-setting', message: expect.stringMatching(message) }),
    );
  });

  it('do not hold the token, which has a variable of its own', () => {
    expect(environmentLayer({ NOMAD_BOOTSTRAP_TOKEN: 'x' }).values).toEqual({});
  });

  it('refuse a variable that is no setting, a misspelt one as well as one that nearly holds a token', () => {
    expect(() => environmentLayer({ NOMAD_BOOTSTRAP_EXPCT: '3' })).toThrow(
      expect.objectContaining({ code: 'bad-setting', message: 'NOMAD_BOOTSTRAP_EXPCT is not a setting' }),
    );
    expect(() => environmentLayer({ NOMAD_BOOTSTRAP_TOKENS: 'x' })).toThrow(
      expect.objectContaining({ code: 'bad-setting' }),
    );
  });

  it.each([
    ['cannot be read', new Error('it is a folder'), /f\.yaml cannot be read: it is a folder/],
    [
      'gives one setting by both of its names',
      'expect: 3\nbootstrap-expect: 5',
      /expect and bootstrap-expect, which are one/,
    ],
    ['is not YAML', 'a: [', /not valid YAML/],
    ['is a list', '- a', /not a list of settings/],
    ['is a word', 'server', /not a list of settings/],
    ['has an unknown setting', 'expcet: 3', /unknown setting: "expcet"/],
    ['names another file', 'config: other.yaml', /unknown setting/],
    ['repeats a key', 'expect: 3\nexpect: 5', /not valid YAML/],
  ])('refuse a file that %s', async (_, text, message) => {
    await expect(fileLayer('f.yaml', text)).rejects.toMatchObject({
      code: 'bad-config-file',
      message: expect.stringMatching(message),
    });
  });

  it('tells that what YAML takes for a number must be in quotes: of 1.10 it leaves 1.1', async () => {
    for (const [line, kind] of [
      ['nomad-version: 1.10', 'number'],
      ['node-pool: true', 'boolean'],
    ] as const) {
      const layer = await fileLayer('f.yaml', line);
      expect(() => mergeLayers([layer])).toThrow(`is read as a ${kind}, and text is wanted: put it in quotes`);
    }
    expect(mergeLayers([await fileLayer('f.yaml', 'name: "12"')])).toEqual({ name: '12' });
  });

  it('judge what a file holds by its type too', async () => {
    const layer = await fileLayer('f.yaml', 'expect: true\n');

    expect(() => mergeLayers([layer])).toThrow(
      expect.objectContaining({ message: 'expect in f.yaml: true: must be a whole number' }),
    );
  });

  it('have a variable each, and no two the same', () => {
    const variables = (Object.keys(options) as OptionName[]).map(variableName);

    expect(new Set(variables).size).toBe(variables.length);
    expect(variableName('cniSha256')).toBe('NOMAD_BOOTSTRAP_CNI_SHA256');
  });
});
