import { describe, expect, test } from 'vitest';
import { configDrift } from '../../src/checks/config-drift.ts';
import { healthChecks } from '../../src/checks/index.ts';
import { runChecks } from '../../src/core/run-checks.ts';
import {
  type DescribedNode,
  describedClient,
  describedServer,
  digestsQuery,
  idsByStatus,
  type NodeDescription,
  pluginDigests,
  resultOf,
  tcpTable,
  tcpTableOf,
} from './node.ts';

function onClient(id: string, different: NodeDescription = {}) {
  return resultOf(id, describedClient(different));
}

function onServer(id: string, different: NodeDescription = {}) {
  return resultOf(id, describedServer('three-servers', different));
}

describe('os-supported', () => {
  test('fails on a system that an upgrade made unsupported', async () => {
    const { host, target } = await describedServer('three-servers');
    const facts = {
      ...target.facts,
      os: { ...target.facts.os, versionId: '10', codename: 'buster', prettyName: 'Debian GNU/Linux 10' },
    };
    const described: DescribedNode = { host, target: { ...target, facts } };

    const { status, detail } = await resultOf('os-supported', Promise.resolve(described));

    expect(status).toBe('fail');
    expect(detail).toContain('Debian GNU/Linux 10: ');
  });
});

describe('kernel-bridge', () => {
  const unloaded = { '/sys/module/bridge/refcnt': undefined, '/proc/modules': 'xfs 1 0 - Live 0x0\n' };
  const modules = '/lib/modules/6.1.0-41-amd64';

  test.each([
    ['loaded, by /proc/modules alone', { '/proc/modules': 'bridge 311296 1 - Live 0x0\n' }, 'bridge is loaded'],
    ['built in', { [`${modules}/modules.builtin`]: 'kernel/net/bridge/bridge.ko\n' }, 'bridge is built in'],
    [
      'there to be loaded',
      { [`${modules}/modules.dep`]: 'kernel/net/bridge/bridge.ko.xz: a.ko\n' },
      'bridge is loaded when it is needed',
    ],
  ])('passes where the module is %s', async (_name, files, detail) => {
    expect(
      await onClient('kernel-bridge', {
        files: {
          '/sys/module/bridge/refcnt': undefined,
          '/proc/modules': '',
          [`${modules}/modules.dep`]: '',
          ...files,
        },
      }),
    ).toMatchObject({ status: 'pass', detail });
  });

  test('fails where the module is only there compressed with zstd, which Nomad does not see', async () => {
    const files = { ...unloaded, [`${modules}/modules.dep`]: 'kernel/net/bridge/bridge.ko.zst: a.ko\n' };
    const { status, detail, hint } = await onClient('kernel-bridge', { files });

    expect({ status, detail }).toEqual({
      status: 'fail',
      detail: 'Nomad finds no bridge module for kernel 6.1.0-41-amd64',
    });
    expect(hint).toContain('modprobe -a bridge br_netfilter && systemctl restart nomad');
  });

  test('fails without br_netfilter, and bridge-sysctls then says nothing', async () => {
    const described = describedClient({
      files: {
        '/proc/sys/net/bridge/bridge-nf-call-arptables': undefined,
        '/proc/sys/net/bridge/bridge-nf-call-ip6tables': undefined,
        '/proc/sys/net/bridge/bridge-nf-call-iptables': undefined,
      },
    });
    const { fail, skip } = await idsByStatus(described);

    expect(fail).toEqual(['kernel-bridge']);
    expect(skip).toEqual(expect.arrayContaining(['bridge-sysctls', 'nomad-client-bridge']));
  });
});

describe('bridge-sysctls', () => {
  test('fails with each setting that is not 1, and the command that sets it', async () => {
    const { status, detail, hint } = await onClient('bridge-sysctls', {
      files: { '/proc/sys/net/bridge/bridge-nf-call-iptables': '0\n', '/proc/sys/net/ipv4/ip_forward': '0\n' },
    });

    expect({ status, detail }).toEqual({
      status: 'fail',
      detail: 'net.bridge.bridge-nf-call-iptables = 0, net.ipv4.ip_forward = 0',
    });
    expect(hint).toContain('sysctl -w net.bridge.bridge-nf-call-iptables=1 net.ipv4.ip_forward=1');
  });

  test('passes on a kernel without IPv6, which has no such setting', async () => {
    expect(
      await onClient('bridge-sysctls', { files: { '/proc/sys/net/bridge/bridge-nf-call-ip6tables': undefined } }),
    ).toMatchObject({ status: 'pass' });
  });
});

describe('sysctls-persist', () => {
  test('fails with the later file that takes a setting back', async () => {
    expect(
      await onClient('sysctls-persist', {
        files: { '/etc/sysctl.d/99-hardening.conf': '; no router\nnet/ipv4/ip_forward=0\n' },
      }),
    ).toMatchObject({
      status: 'fail',
      detail: '/etc/sysctl.d/99-hardening.conf sets net.ipv4.ip_forward = 0',
      hint: 'it comes after ours and wins: take that line out of /etc/sysctl.d/99-hardening.conf, then run sysctl --system',
    });
  });

  test('passes where an earlier, or a hidden, file says otherwise', async () => {
    expect(
      await onClient('sysctls-persist', {
        files: {
          '/etc/sysctl.d/10-first.conf': '-net.ipv4.ip_forward = 0\n',
          '/usr/lib/sysctl.d/99-vendor.conf': 'net.ipv4.ip_forward = 0\n',
          '/etc/sysctl.d/99-vendor.conf': '# switched off\n',
        },
      }),
    ).toMatchObject({ status: 'pass' });
  });

  test('fails where what sets them at boot is masked', async () => {
    const symlinks = { '/etc/systemd/system/systemd-sysctl.service': '/dev/null' };

    expect(await onClient('sysctls-persist', { symlinks })).toMatchObject({
      status: 'fail',
      detail: 'systemd-sysctl.service is masked, so nothing sets them at boot',
      hint: 'systemctl unmask systemd-sysctl.service',
    });
  });

  test('knows a setting by its other name', async () => {
    const files = { '/etc/sysctl.d/95-router.conf': 'net.ipv4.conf.all.forwarding = 0\n' };

    expect(await onClient('sysctls-persist', { files })).toMatchObject({
      status: 'fail',
      detail: '/etc/sysctl.d/95-router.conf sets net.ipv4.conf.all.forwarding = 0',
    });
  });

  test('lets a pattern count for what no line names, and for nothing else', async () => {
    const path = '/etc/sysctl.d/95-pattern.conf';
    const pattern = 'net.bridge.bridge-nf-call-*tables = 0\nnet/ipv4/conf/*/forwarding = 0\n';
    const detail = async (text: string, ours: Readonly<Record<string, string>> = {}) =>
      (await onClient('sysctls-persist', { files: { [path]: text, ...ours } })).detail;
    const bridgeAlone = { '/etc/sysctl.d/90-nomad.conf': 'net.ipv4.ip_forward = 1\n' };

    expect(await detail(pattern)).toBe(`${path} sets net.ipv4.conf.*.forwarding = 0`);
    expect(await detail(`${pattern}-net.ipv4.conf.all.forwarding\n`)).toBe(
      'modules-load.d and sysctl.d bring them back',
    );
    expect(await detail('net.bridge.bridge-nf-call-*tables = 1\n', bridgeAlone)).toBe(
      'modules-load.d and sysctl.d bring them back',
    );
    expect(await detail('net.bridge.* = 1\nnet.* = 1\n', bridgeAlone)).toContain(
      'modules-load.d and sysctl.d bring them back',
    );
  });

  test('knows that a value that comes again is set where it came first', async () => {
    const files = {
      '/etc/sysctl.d/10-a.conf': 'net.ipv4.ip_forward = 1\n',
      '/etc/sysctl.d/20-b.conf': 'net.ipv4.conf.all.forwarding = 0\n',
    };

    expect(await onClient('sysctls-persist', { files })).toMatchObject({
      status: 'fail',
      detail: '/etc/sysctl.d/20-b.conf sets net.ipv4.conf.all.forwarding = 0',
    });
  });

  test('fails when its file is gone', async () => {
    const { status, detail } = await onClient('sysctls-persist', {
      files: { '/etc/sysctl.d/90-nomad.conf': undefined },
    });

    expect(status).toBe('fail');
    expect(detail).toContain('nothing sets net.bridge.bridge-nf-call-iptables');
  });

  test('fails when nothing loads the module, unless it is built in', async () => {
    const without = { '/etc/modules-load.d/nomad.conf': undefined };

    expect(await onClient('sysctls-persist', { files: without })).toMatchObject({ status: 'fail' });
    expect(await onClient('sysctls-persist', { files: { ...without, '/proc/modules': '' } })).toMatchObject({
      status: 'pass',
    });
  });
});

describe('cgroups', () => {
  test.each([
    ['passes with all that Nomad wants', 2, ['cpuset', 'cpu', 'io', 'memory', 'pids', 'rdma'], 'pass'],
    ['warns when one is missing, since docker jobs still run', 2, ['cpuset', 'cpu', 'io', 'pids'], 'warn'],
    ['warns of version 1', 1, [], 'warn'],
    ['fails without any', 'none', [], 'fail'],
  ] as const)('%s', async (_name, version, controllers, status) => {
    expect(await onClient('cgroups', { facts: { cgroups: { version, controllers } } })).toMatchObject({ status });
  });
});

describe('disk-space', () => {
  const gib = 2 ** 30;

  test('fails before the disk is full, where it is', async () => {
    const space = {
      '/': { sizeBytes: 40 * gib, availableBytes: 20 * gib },
      '/opt/consul': { sizeBytes: gib, availableBytes: 100 * 2 ** 20 },
    };

    expect(await onServer('disk-space', { space, directories: ['/opt/consul'] })).toMatchObject({
      status: 'fail',
      detail: '100 MiB left at /opt/consul',
    });
  });

  test('fails where a place is mounted read-only, as the host sees it', async () => {
    const mounts = (options: string) => ({
      files: { '/proc/1/mounts': `/dev/sda / ext4 rw 0 0\n/dev/sdb /opt/nomad ext4 ${options},relatime 0 0\n` },
    });

    expect(await onServer('disk-space', mounts('rw'))).toMatchObject({ status: 'pass' });
    expect(await onServer('disk-space', mounts('ro'))).toMatchObject({
      status: 'fail',
      detail: '/opt/nomad/data is on a file system that is mounted read-only',
    });
  });

  test("looks at Docker's disk where jobs run in it", async () => {
    const space = {
      '/': { sizeBytes: 40 * gib, availableBytes: 20 * gib },
      '/var/lib/docker': { sizeBytes: gib, availableBytes: 0 },
    };

    expect(await onClient('disk-space', { space, docker: 'docker', directories: ['/var/lib/docker'] })).toMatchObject({
      status: 'fail',
      detail: '0 MiB left at /var/lib/docker',
    });
    expect(await onServer('disk-space', { space, directories: ['/var/lib/docker'] })).toMatchObject({ status: 'pass' });
  });

  test('fails and warns by the number of files as well, where a file system has one', async () => {
    const of = (available: number) => ({
      space: { '/': { sizeBytes: 40 * gib, availableBytes: 20 * gib, files: { most: 2_000_000, available } } },
    });

    expect(await onServer('disk-space', of(12))).toMatchObject({
      status: 'fail',
      detail: 'room for 12 more files at /opt/nomad/data',
      hint: expect.stringContaining('du --inodes'),
    });
    expect(await onServer('disk-space', of(20_000))).toMatchObject({ status: 'warn' });
    expect(await onServer('disk-space', of(100_000))).toMatchObject({ status: 'pass' });
  });

  test('warns when it becomes tight', async () => {
    expect(
      await onServer('disk-space', { space: { '/': { sizeBytes: 40 * gib, availableBytes: 2 * gib } } }),
    ).toMatchObject({ status: 'warn', detail: '2048 MiB left at /opt/nomad/data' });
  });
});

describe('time-sync', () => {
  const tracking = 'chronyc -n tracking';
  const kernel = 'timedatectl show --property=NTPSynchronized --value';
  const files = { '/run/systemd/timesync/synchronized': undefined };
  const absent = { exitCode: 127 };
  const ntpd = { '/usr/sbin/ntpd': 'a program' };

  test('passes by the word of chrony, and starts no service to hear it', async () => {
    const stdout = 'Reference ID    : 7F7F0101 ()\nStratum         : 10\nLeap status     : Normal\n';

    expect(await onServer('time-sync', { files, commands: { [tracking]: { stdout } } })).toMatchObject({
      status: 'pass',
      detail: 'by chrony',
    });
  });

  test('passes by the kernel’s word where something else keeps the clock', async () => {
    const commands = { [tracking]: absent, [kernel]: { stdout: 'yes\n' } };

    expect(await onServer('time-sync', { files: { ...files, ...ntpd }, commands })).toMatchObject({ status: 'pass' });
  });

  test('warns where systemd-timesyncd has not reached its server for a day', async () => {
    const touched = (modifiedAt: string) => ({
      files: { '/run/systemd/timesync/synchronized': { content: '', modifiedAt: new Date(modifiedAt) } },
    });

    expect(await onServer('time-sync', touched('2026-11-22T14:30:00Z'))).toMatchObject({ status: 'pass' });
    expect(await onServer('time-sync', touched('2026-11-20T15:00:00Z'))).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining('for 48 hours'),
      hint: expect.stringContaining('timesync-status'),
    });
  });

  test('warns where nothing does, and asks nobody else', async () => {
    expect(await onServer('time-sync', { files, commands: { [tracking]: absent } })).toMatchObject({ status: 'warn' });
  });

  test.each([
    ['chrony has heard no server yet', files, { [tracking]: { stdout: 'Leap status     : Not synchronised\n' } }],
    ['ntpd has not', { ...files, ...ntpd }, { [tracking]: absent, [kernel]: { stdout: 'no\n' } }],
    ['nobody can tell', { ...files, ...ntpd }, { [tracking]: absent, [kernel]: absent }],
  ])('warns where %s', async (_, there, commands) => {
    expect(await onServer('time-sync', { files: there, commands })).toMatchObject({ status: 'warn' });
  });
});

describe('packages-held', () => {
  test('fails with the packages that an upgrade would take along, and the command that holds them', async () => {
    expect(
      await onServer('packages-held', {
        commands: { 'dpkg --get-selections consul nomad': { stdout: 'consul\t\t\thold\nnomad\t\t\tinstall\n' } },
      }),
    ).toMatchObject({ status: 'fail', hint: 'apt-mark hold nomad' });
  });
});

describe('config-accepted', () => {
  const consul = '/usr/bin/consul validate /etc/consul.d';
  const nomad = '/usr/bin/nomad config validate /etc/nomad.d';
  const ours = { '/etc/nomad.d/nomad.hcl': '', '/etc/consul.d/consul.hcl': '', '/etc/nomad.d/README.md': '' };

  test('asks no agent where there are none but our own files', async () => {
    const { host, target } = await describedServer('three-servers', { files: ours });

    const [result] = await runChecks(healthChecks, host, target, { only: ['config-accepted'] });

    expect([result?.status, host.queries]).toEqual(['pass', []]);
  });

  test('passes with the names of those that the agents accept, and fails with what is said of the others', async () => {
    const files = { ...ours, '/etc/nomad.d/zz-local.hcl': '', '/etc/consul.d/zz.json': '' };
    const said = '==> Validating configuration\n* Error parsing zz-local.hcl: expected }\n';
    const answers = (exitCode: number) => ({ [consul]: {}, [nomad]: { exitCode, stdout: exitCode === 0 ? '' : said } });

    expect(await onServer('config-accepted', { files, commands: answers(0) })).toMatchObject({
      status: 'pass',
      detail: '/etc/consul.d/zz.json, /etc/nomad.d/zz-local.hcl',
    });
    expect(await onServer('config-accepted', { files, commands: answers(1) })).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('would not start again: Error parsing zz-local.hcl: expected }'),
      hint: expect.stringContaining('/etc/nomad.d/zz-local.hcl'),
    });
  });
});

describe('cluster-address', () => {
  const network = { address: '10.77.0.11', interface: 'eth1', cidr: '10.77.0.0/24', kind: 'vlan' } as const;
  const on = (name: string, address: string) => [{ interface: name, address, prefixLength: 24, family: 4 as const }];

  test('passes wherever the address is, and fails with what its interface has instead', async () => {
    const asked = async (addresses: ReturnType<typeof on>) =>
      onServer('cluster-address', { node: { network }, facts: { addresses } });

    expect(await asked(on('eth2', '10.77.0.11'))).toMatchObject({ status: 'pass', detail: '10.77.0.11 on eth2' });
    expect(await asked(on('eth1', '169.254.1.1'))).toMatchObject({
      status: 'fail',
      detail: '10.77.0.11 is on no interface; eth1 has 169.254.1.1',
    });
    expect(await asked([])).toMatchObject({ status: 'fail', detail: '10.77.0.11 is on no interface' });
  });
});

describe('boot-enabled', () => {
  test.each([
    ['disabled', 'enabled\ndisabled\n', 'nomad.service is disabled', 'systemctl enable nomad.service'],
    [
      'masked',
      'enabled\nmasked\n',
      'nomad.service is masked',
      'systemctl unmask nomad.service && systemctl enable nomad.service',
    ],
    [
      'enabled until the next boot only',
      'enabled\nenabled-runtime\n',
      'nomad.service is enabled-runtime',
      'systemctl enable nomad.service',
    ],
    ['missing', 'enabled\n', 'nomad.service is not-found', 'systemctl enable nomad.service'],
    [
      'one that nothing wants',
      'enabled\nstatic\n',
      'nomad.service is static',
      'take back the unit file that has no [Install] section: systemctl revert nomad.service; systemctl enable nomad.service',
    ],
  ])('fails when a unit is %s', async (_name, stdout, detail, hint) => {
    expect(
      await onServer('boot-enabled', {
        commands: { 'systemctl is-enabled consul.service nomad.service': { stdout, exitCode: 1 } },
      }),
    ).toMatchObject({ status: 'fail', detail, hint });
  });

  test('asks for Docker as well where jobs run in it', async () => {
    expect(await onClient('boot-enabled', { docker: 'docker' })).toMatchObject({ detail: 'consul, nomad, docker' });
  });
});

describe('cni-plugins', () => {
  test('fails with what is missing and what is damaged', async () => {
    expect(
      await onClient('cni-plugins', {
        commands: {
          [digestsQuery]: { exitCode: 1, stdout: pluginDigests({ bridge: undefined, portmap: 'f'.repeat(64) }) },
        },
      }),
    ).toMatchObject({ status: 'fail', detail: 'bridge is missing, portmap is damaged' });
  });

  test.each([
    ['is missing', undefined, 'there is no record of them'],
    ['cannot be read', '{', 'their record cannot be read'],
    ['is of another archive', JSON.stringify({ sha256: 'aa', files: {} }), 'not the archive of version 1.9.1'],
  ])('fails when their record %s', async (_name, content, detail) => {
    const files = { '/var/lib/nomad-bootstrap/cni-plugins.json': content };

    expect(await onClient('cni-plugins', { files })).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining(detail),
    });
  });
});

describe('docker', () => {
  const version = 'GET /run/docker.sock:http://localhost/version';
  const state = {
    'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts docker.service': {
      stdout: 'LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success\nNRestarts=0\n',
    },
  };

  test('passes with the version that the engine tells', async () => {
    expect(
      await onClient('docker', {
        docker: 'docker',
        requests: { [version]: { body: '{"Platform":{"Name":""},"Version":"29.1.0","ApiVersion":"1.52"}' } },
      }),
    ).toMatchObject({ status: 'pass', detail: 'version 29.1.0' });
  });

  test.each([
    ['containerd', ['Engine', 'docker-init'], 'containerd does not'],
    ['a runtime', ['Engine', 'containerd', 'docker-init'], 'has no runtime'],
  ])('fails without %s, of which the engine then does not tell', async (_name, names, detail) => {
    const body = JSON.stringify({ Version: '29.1.0', Components: names.map(Name => ({ Name, Version: '1' })) });

    expect(await onClient('docker', { docker: 'docker', requests: { [version]: { body } } })).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining(detail),
    });
  });

  test('fails with what systemd says when it does not answer', async () => {
    expect(
      await onClient('docker', { docker: 'docker', requests: { [version]: 'unreachable' }, commands: state }),
    ).toMatchObject({ status: 'fail', detail: 'Docker does not answer; docker.service is inactive (dead)' });
  });

  test('fails on an answer that is not Docker’s', async () => {
    for (const body of ['<html>', '{"version":1}']) {
      expect(await onClient('docker', { docker: 'docker', requests: { [version]: { body } } })).toMatchObject({
        status: 'fail',
        detail: 'something else than Docker answers on /run/docker.sock',
      });
    }
    expect(
      await onClient('docker', { docker: 'docker', requests: { [version]: { status: 500, body: 'panic' } } }),
    ).toMatchObject({ status: 'fail', detail: 'Docker answered 500: panic' });
  });

  test('spares the drivers when it fails, since they fail with it', async () => {
    const { fail, skip } = await idsByStatus(
      describedClient({ docker: 'docker', requests: { [version]: 'unreachable' }, commands: state }),
    );

    expect(fail).toEqual(['docker']);
    expect(skip).toContain('nomad-client-drivers');
  });
});

describe('ports-exposed', () => {
  const listening = (...sockets: string[]) => ({ files: { '/proc/net/tcp': tcpTable(...sockets) } });

  test.each([
    ["Nomad's API on all addresses", '00000000:1226', "Nomad's API on 0.0.0.0:4646"],
    ["Consul's API on the public address", '157100CB:2134', "Consul's API on 203.0.113.21:8500"],
    ["Nomad's RPC on Linode's shared private network", '4D8CA8C0:1227', "Nomad's RPC on 192.168.140.77:4647"],
    ["Docker's API", '00000000:0947', "Docker's API on 0.0.0.0:2375"],
    ['a public address that is no candidate for the cluster', '097100CB:1226', "Nomad's API on 203.0.113.9:4646"],
    ["Consul's gossip between datacenters", '00000000:206E', "Consul's gossip between datacenters on 0.0.0.0:8302"],
  ])('fails with %s, and why that matters', async (_name, socket, place) => {
    const { status, detail } = await onServer('ports-exposed', listening(socket));

    expect(status).toBe('fail');
    expect(detail).toContain(place);
    expect(detail).toContain('whoever reaches it');
  });

  test('tells of DNS that is open to strangers what it gives away, which is less', async () => {
    expect((await onServer('ports-exposed', listening('00000000:2198'))).detail).toBe(
      "Consul's DNS on 0.0.0.0:8600: whoever reaches it learns where every service is, and can have it flood others with answers",
    );
    expect((await onServer('ports-exposed', listening('00000000:2198', '00000000:1226'))).detail).toMatch(/as root$/);
  });

  test('goes by the user of a socket where Consul has one: its numbers are free to others, and it may take others', async () => {
    const files = (user: number, socket: string) => ({
      files: { '/etc/passwd': 'root:x:0:0::/root:\nconsul:x:998:998::/:\n', '/proc/net/tcp': tcpTableOf(user, socket) },
    });

    // 8501 of a container, 8501 and 9443 of Consul, Nomad's 4646 of whomever.
    expect(await onServer('ports-exposed', files(0, '00000000:2135'))).toMatchObject({ status: 'pass' });
    for (const [user, socket, place] of [
      [998, '00000000:2135', "Consul's API on 0.0.0.0:8501"],
      [998, '00000000:24E3', "Consul's own port on 0.0.0.0:9443"],
      [0, '00000000:1226', "Nomad's API on 0.0.0.0:4646"],
    ] as const) {
      expect(await onServer('ports-exposed', files(user, socket))).toMatchObject({
        status: 'fail',
        detail: expect.stringContaining(place),
      });
    }
  });

  test('fails with a socket of IPv6 that takes all addresses, and with a public one', async () => {
    const all = { files: { '/proc/net/tcp6': tcpTable('00000000000000000000000000000000:1226') } };
    const one = { files: { '/proc/net/tcp6': tcpTable('063C0026000000000000000015000000:2134') } };

    expect((await onServer('ports-exposed', all)).detail).toContain("Nomad's API on [::]:4646");
    expect(await onServer('ports-exposed', one)).toMatchObject({ status: 'fail' });
  });

  test('reads an IPv4 address in IPv6’s table, and loopback, for what they are', async () => {
    const mapped = tcpTable('0000000000000000FFFF00000100007F:1226', '00000000000000000000000001000000:2134');

    expect(await onServer('ports-exposed', { files: { '/proc/net/tcp6': mapped } })).toMatchObject({ status: 'pass' });
  });

  test('warns of an address on another network of the owner, which only strangers on 192.168.128.0/17 share', async () => {
    // 192.168.127.9, 10.9.0.1
    for (const socket of ['097FA8C0:2134', '0100090A:2134']) {
      expect(await onServer('ports-exposed', listening(socket))).toMatchObject({ status: 'warn' });
    }
  });

  test('warns of an address that is neither public nor asked for', async () => {
    expect(await onServer('ports-exposed', listening('010011AC:2134'))).toMatchObject({
      status: 'warn',
      detail: "Consul's API on 172.17.0.1:8500: beyond the addresses of the settings",
    });
  });

  test('lets the APIs be on the cluster address only where that was asked for', async () => {
    const socket = listening('0B01007F:1226');
    const address = { address: '10.0.0.21', interface: 'eth1', cidr: '10.0.0.0/24', kind: 'vlan' } as const;
    const onVlan = listening('1500000A:1226');

    expect(await onServer('ports-exposed', { ...socket, node: { api: 'cluster' } })).toMatchObject({ status: 'pass' });
    expect(await onServer('ports-exposed', { ...onVlan, node: { api: 'cluster', network: address } })).toMatchObject({
      status: 'pass',
    });
    expect(await onServer('ports-exposed', { ...onVlan, node: { api: 'loopback', network: address } })).toMatchObject({
      status: 'warn',
    });
  });

  test('does not take a connection for an open port', async () => {
    const table = tcpTable('00000000:1226').replace(' 0A ', ' 01 ');

    expect(await onServer('ports-exposed', { files: { '/proc/net/tcp': table } })).toMatchObject({ status: 'pass' });
  });
});

describe('config-drift', () => {
  test('passes when a run would change nothing, and else names what and shows the difference', async () => {
    const { host, target } = await describedServer('three-servers');
    const change = (id: string) => ({ id, step: 'nomad', summary: `change ${id}`, diff: '-a\n+b\n' });
    const drift = async (ids: readonly string[]) => {
      const [result] = await runChecks([configDrift(async () => ids.map(change))], host, target);
      return result;
    };

    expect(await drift([])).toMatchObject({ status: 'pass' });
    expect(await drift(['file:/etc/nomad.d/nomad.hcl'])).toMatchObject({
      status: 'fail',
      detail: '1 thing drifted: file:/etc/nomad.d/nomad.hcl',
      diff: 'change file:/etc/nomad.d/nomad.hcl\n-a\n+b\n',
    });
    expect((await drift(['a', 'b', 'c', 'd', 'e', 'f', 'g']))?.detail).toBe('7 things drifted: a, b, c, d, e, 2 more');
  });
});

test('every warning and failure comes with something to do', async () => {
  const described = describedClient({
    docker: 'docker',
    facts: { cgroups: { version: 'none', controllers: [] }, installed: { nomad: '1.0.0' } },
    files: {
      '/sys/module/bridge/refcnt': undefined,
      '/proc/modules': '',
      '/run/systemd/timesync/synchronized': undefined,
    },
    commands: { 'chronyc -n tracking': { exitCode: 127 } },
    requests: { 'GET /run/docker.sock:http://localhost/version': { status: 500, body: '' } },
  });
  const { host, target } = await described;

  const wrong = (await runChecks(healthChecks, host, target)).filter(
    ({ status }) => status === 'warn' || status === 'fail',
  );

  expect(wrong.length).toBeGreaterThan(4);
  for (const { id, hint } of wrong) expect(hint, id).toMatch(/\w{3}/);
});
