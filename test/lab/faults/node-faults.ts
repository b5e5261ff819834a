import {
  type BootstrapFault,
  refused,
  refusedUntouched,
  script,
  shell,
  survived,
  type World,
} from './bootstrap-fault.ts';

const redhat = { system: 'rocky9' } as const;
const server = ['server', '--insecure', '--network', 'eth1'];

/** Holds apt's kind of lock (a POSIX record lock, which flock(1) does not make) for so many seconds; perl comes with Debian. */
function holdLock(file: string, seconds: number): string {
  const lock = `open F, "+>>", "${file}" or die; $l = pack("s s x4 q q l x4", F_WRLCK, 0, 0, 0, 0); fcntl F, F_SETLK, $l or die; sleep ${seconds}`;
  return `mkdir -p "$(dirname ${file})"; (exec perl -MFcntl -e '${lock}') >/dev/null 2>&1 & sleep 1; kill -0 $!`;
}

/** Builds and unpacks a package of somebody else's, whose configuration works when /run/repaired is there. */
function foreignPackage(control: string, install: string): string {
  return `mkdir -p /tmp/foreign/DEBIAN && cd /tmp/foreign
printf 'Package: foreign\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <nobody@example.com>\\n${control}Description: somebody else\\n' >DEBIAN/control
printf '#!/bin/sh\\ntest -e /run/repaired\\n' >DEBIAN/postinst && chmod 755 DEBIAN/postinst
dpkg-deb -b . /tmp/foreign.deb >/dev/null && ${install} || true`;
}

/** Starts filling once the run has announced its changes, and so has passed the checks. */
function whenPlanned(fill: string): string {
  return `(for i in $(seq 600); do test -s /var/log/nomad-bootstrap.log && break; sleep 0.05; done; ${fill}) >/dev/null 2>&1 &`;
}

const fillDisk =
  'dd if=/dev/zero of=/var/filler bs=1M 2>/dev/null; dd if=/dev/zero of=/var/filler2 bs=4k 2>/dev/null; sync';

/** What runs without the record of an earlier one find is theirs. */
const asNew = 'rm -rf /etc/nomad-bootstrap';

/** What a machine, and what was done to it before, do to a bootstrap. */
export const nodeFaults: readonly BootstrapFault[] = [
  {
    id: 'dpkg-lock',
    title: 'dpkg is at work for 6 s',
    inject: script('(sleep 6 | dpkg --set-selections) >/dev/null 2>&1 & sleep 0.5'),
    expect: survived(/waiting for dpkg \(process \d+\) to release \/var\/lib\/dpkg\/lock/),
  },
  {
    id: 'frontend-lock',
    title: 'an updater of the first boot holds the lock of package managers for a minute',
    inject: script(holdLock('/var/lib/dpkg/lock-frontend', 60)),
    expect: survived(/waiting for perl \(process \d+\) to release \/var\/lib\/dpkg\/lock-frontend/),
  },
  {
    id: 'lists-lock',
    title: 'another update of the indexes is under way for 6 s',
    inject: script(holdLock('/var/lib/apt/lists/lock', 6)),
    expect: survived(/to release \/var\/lib\/apt\/lists\/lock/),
  },
  {
    id: 'archives-lock',
    title: 'another download of packages is under way for 6 s',
    inject: script(holdLock('/var/cache/apt/archives/lock', 6)),
    expect: survived(/to release \/var\/cache\/apt\/archives\/lock/),
  },
  {
    id: 'rpm-lock',
    title: 'another rpm transaction is under way for 8 s',
    spec: redhat,
    inject: script(holdLock('/var/lib/rpm/.rpm.lock', 8)),
    expect: survived(/to release \/var\/lib\/rpm\/\.rpm\.lock/),
  },
  {
    id: 'dnf-at-work',
    title: 'another dnf is at work for 12 s',
    spec: redhat,
    imitated: "a sleep, whose number stands in dnf's lock",
    // dnf 4 takes the process of whose number is in there for the dnf that holds the lock.
    inject: script('sleep 12 >/dev/null 2>&1 & printf %s $! >/var/cache/dnf/metadata_lock.pid'),
    expect: survived(/dnf: Waiting for process with pid \d+/),
  },
  {
    id: 'half-configured',
    title: "somebody else's package was left half-configured",
    inject: script(`${foreignPackage('', 'dpkg -i /tmp/foreign.deb')}; touch /run/repaired`),
    expect: survived(),
  },
  {
    id: 'half-configured-for-good',
    title: "somebody else's package cannot be configured",
    inject: script(foreignPackage('', 'dpkg -i /tmp/foreign.deb'), 'dpkg --purge foreign'),
    expect: refused('packages-failed', /foreign[\s\S]*dpkg --configure -a/),
  },
  {
    id: 'unmet-dependencies',
    title: "somebody else's package was forced in without what it needs",
    inject: script(
      `touch /run/repaired; ${foreignPackage('Depends: no-such-package\\n', 'dpkg --force-depends -i /tmp/foreign.deb')}`,
      'dpkg --purge foreign',
    ),
    expect: refused('packages-failed', /Unmet dependencies[\s\S]*apt-get --fix-broken install/),
  },
  {
    id: 'dpkg-cut-off',
    title: 'dpkg was cut off, and its journal is still to be taken over',
    inject: script(
      "awk '/^Package: bash$/,/^$/' /var/lib/dpkg/status >/var/lib/dpkg/updates/0000; test -s /var/lib/dpkg/updates/0000",
    ),
    expect: survived(),
  },
  {
    id: 'dpkg-database-damaged',
    title: "dpkg's database is damaged",
    inject: script(
      "cp -a /var/lib/dpkg/status /root/status; sed -i '40s/.*/@@@@/' /var/lib/dpkg/status",
      'cp -a /root/status /var/lib/dpkg/status',
    ),
    expect: refused('packages-failed', /\/var\/lib\/dpkg\/status[\s\S]*status-old/),
  },
  {
    id: 'apt-lists-damaged',
    title: "apt's downloaded indexes are damaged",
    inject: script(
      'apt-get update -qq >/dev/null 2>&1; for f in /var/lib/apt/lists/*_Packages; do head -c 3000 /dev/urandom >"$f"; done; ls /var/lib/apt/lists/*Packages* >/dev/null',
    ),
    expect: survived(),
  },
  {
    id: 'apt-configuration-damaged',
    title: "a file of apt's configuration cannot be read",
    inject: script('echo \'APT::Broken "x" junk;\' >/etc/apt/apt.conf.d/99broken', 'rm /etc/apt/apt.conf.d/99broken'),
    expect: refused('packages-failed', /99broken/),
  },
  {
    id: 'apt-hook-fails',
    title: 'a hook that somebody put before dpkg fails',
    inject: script(
      `echo 'DPkg::Pre-Invoke { "echo the hook says no >&2; exit 1"; };' >/etc/apt/apt.conf.d/99hook`,
      'rm /etc/apt/apt.conf.d/99hook',
    ),
    expect: refused('packages-failed', /the hook says no|exit 1/),
  },
  {
    id: 'apt-pinned',
    title: 'preferences keep apt from every version of Nomad',
    inject: script("printf 'Package: nomad\\nPin: version *\\nPin-Priority: -1\\n' >/etc/apt/preferences.d/no-nomad"),
    expect: survived(),
  },
  {
    id: 'policy-forbids-starts',
    title: 'policy-rc.d forbids packages to start services',
    argv: server,
    inject: script("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d"),
    expect: survived(),
  },
  {
    id: 'disk-small',
    title: 'the disk has less room than the packages take',
    spec: { diskMiB: 700 },
    inject: async () => undefined,
    expect: refused('preflight-failed', /\d+ MiB available/),
    heals: async () => {},
  },
  {
    id: 'disk-full-packages',
    title: 'the disk is full when the packages come',
    spec: { diskMiB: 1600 },
    inject: script(whenPlanned(fillDisk), 'sleep 1; rm -f /var/filler /var/filler2'),
    expect: refused('disk-full', /space[\s\S]*df -h/),
  },
  {
    id: 'disk-full-file',
    title: 'there is no room where the CNI plug-ins go',
    inject: script('mkdir -p /opt/cni; mount -t tmpfs -o size=1M none /opt/cni', 'umount /opt/cni'),
    expect: refused('disk-full', /\/opt\/cni.*no space is left/),
  },
  {
    id: 'inodes-used-up',
    title: 'the file system has room, and no inodes',
    inject: script('mkdir -p /opt/cni; mount -t tmpfs -o nr_inodes=3 none /opt/cni', 'umount /opt/cni'),
    expect: refused('disk-full', /\/opt\/cni[\s\S]*df -i/),
  },
  {
    id: 'root-read-only',
    title: 'the root file system is read-only',
    on: 'shared',
    run: async (world, argv) =>
      (await import('../../cluster/bootstrap.ts')).bootstrap(world.node, argv, { readOnlyRoot: true }),
    inject: async () => undefined,
    expect: refused('preflight-failed', /mounted read-only[\s\S]*remount/),
  },
  {
    id: 'folder-read-only',
    title: 'a folder is read-only',
    inject: script(
      'mount --bind /etc/sysctl.d /etc/sysctl.d; mount -o remount,bind,ro /etc/sysctl.d',
      'umount /etc/sysctl.d',
    ),
    expect: refused('read-only', /\/etc\/sysctl\.d\/90-nomad\.conf/),
  },
  {
    id: 'tmp-read-only',
    title: '/tmp is read-only',
    on: 'shared',
    inject: script('mount --bind /tmp /tmp; mount -o remount,bind,ro /tmp', 'umount /tmp'),
    expect: refused('preflight-failed', /\/tmp is mounted read-only/),
  },
  {
    id: 'file-mounted',
    title: 'a file to be written is a mount point',
    inject: script(
      'echo "# mine" >/etc/sysctl.d/90-nomad.conf; mount --bind /etc/sysctl.d/90-nomad.conf /etc/sysctl.d/90-nomad.conf',
      'umount /etc/sysctl.d/90-nomad.conf',
    ),
    expect: refused('file-refused', /90-nomad\.conf could not be written: EBUSY/),
  },
  {
    id: 'file-for-folder',
    title: 'a file is where a folder belongs',
    on: 'shared',
    inject: script('touch /opt/cni', 'rm /opt/cni'),
    expect: refusedUntouched('file-refused', /\/opt\/cni must be a directory/),
  },
  {
    id: 'folder-for-file',
    title: 'a folder is where a file belongs',
    on: 'shared',
    inject: script('mkdir /etc/sysctl.d/90-nomad.conf', 'rmdir /etc/sysctl.d/90-nomad.conf'),
    expect: refusedUntouched('file-refused', /90-nomad\.conf must be a file/),
  },
  {
    id: 'log-in-the-way',
    title: 'a folder is where the log belongs',
    inject: script('mkdir /var/log/nomad-bootstrap.log'),
    expect: survived(/log/),
  },
  {
    id: 'lock-in-the-way',
    title: 'a folder is where the lock belongs',
    on: 'shared',
    inject: script(
      'rm -f /run/nomad-bootstrap.lock; mkdir /run/nomad-bootstrap.lock',
      'rmdir /run/nomad-bootstrap.lock',
    ),
    expect: refusedUntouched('file-refused', /\/run\/nomad-bootstrap\.lock/),
  },
  {
    id: 'opt-elsewhere',
    title: '/opt is a link to another disk',
    inject: script('mkdir -p /srv && mv /opt /srv/opt && ln -s srv/opt /opt'),
    expect: survived(),
  },
  {
    id: 'clock-behind',
    title: 'the clock stands in 2019',
    on: 'shared',
    imitated: "libfaketime gives the executable another time; the machine's own clock would change with it",
    inject: fakeTime,
    run: atTime('2019-03-01 12:00:00'),
    expect: refused('preflight-failed', /the clock says 2019[\s\S]*timedatectl/),
  },
  {
    id: 'clock-ahead',
    title: 'the clock is 20 years ahead',
    on: 'shared',
    imitated: 'libfaketime, as above',
    inject: fakeTime,
    run: atTime('2047-03-01 12:00:00'),
    expect: refusedUntouched('unreachable', /expired[\s\S]*clock/),
  },
  {
    id: 'iptables-missing',
    title: 'iptables is missing',
    inject: script('dpkg --purge --force-depends iptables >/dev/null 2>&1; ! command -v iptables'),
    expect: survived(),
    after: async world => {
      await shell(world, 'iptables --version');
    },
  },
  {
    id: 'docker-there',
    title: "the distribution's Docker is installed already",
    argv: ['image'],
    inject: script('apt-get update -qq; apt-get install -y -qq --no-install-recommends docker.io >/dev/null 2>&1'),
    expect: survived(),
    after: async world => {
      await shell(world, '! dpkg -s docker-ce 2>/dev/null');
    },
  },
  {
    id: 'containerd-there',
    title: "the distribution's containerd is installed, which Docker's own packages would remove",
    argv: ['image'],
    inject: script(
      'apt-get update -qq; apt-get install -y -qq --no-install-recommends containerd >/dev/null 2>&1',
      'apt-get purge -y -qq containerd runc >/dev/null 2>&1',
    ),
    expect: refused('packages-failed', /remove those first/),
  },
  {
    id: 'docker-imitation',
    title: "podman's imitation is in Docker's place",
    on: 'shared',
    argv: ['image'],
    inject: script("printf '#!/bin/sh\\nexec /usr/bin/podman\\n' >/usr/bin/docker", 'rm /usr/bin/docker'),
    expect: refused('preflight-failed', /podman-docker/),
  },
  {
    id: 'localhost',
    title: 'the host name is localhost',
    on: 'shared',
    argv: server,
    inject: script(
      'hostname >/run/lab-name; hostname localhost; echo localhost >/etc/hostname',
      'hostname "$(cat /run/lab-name)"; cp /run/lab-name /etc/hostname',
    ),
    expect: refused('bad-setting', /no name for a node[\s\S]*--name/),
  },
  {
    id: 'localhost-named',
    title: 'the host name is localhost, and --name is given',
    argv: [...server, '--name', 'given'],
    inject: script('hostname localhost; echo localhost >/etc/hostname'),
    expect: survived(/host name is localhost; the agents call it given/),
  },
  {
    id: 'same-name',
    title: 'another node of the cluster has the name',
    argv: ['server', '--insecure', '--network', 'eth1', '--expect', '2', '--name', 'twin'],
    inject: async world => {
      await serverBeside(world, 'twin');
      return undefined;
    },
    run: joining([]),
    expect: refused('preflight-failed', /twin is alive at 10\.77\.0\.\d+[\s\S]*--name/),
    heals: joins(['--name', 'other']),
  },
  {
    id: 'cloned-data',
    title: "the agents' data are a copy of another node's",
    argv: ['server', '--insecure', '--network', 'eth1', '--expect', '2'],
    inject: async world => {
      const other = await serverBeside(world, 'original');
      const { stdout } = await other.exec(['sh', '-c', 'tar -C / -cf - opt/consul opt/nomad | base64']);
      await world.node.exec(['sh', '-c', 'base64 -d | tar -C / -xf -'], { stdin: stdout });
      return () => shell(world, 'rm -rf /opt/consul /opt/nomad');
    },
    run: joining([]),
    expect: refused('preflight-failed', /copy of those of original at 10\.77\.0\.\d+[\s\S]*\/opt\/consul/),
    heals: joins([]),
  },
  {
    id: 'address-changed',
    title: "the node's cluster address is another one since",
    on: 'node',
    argv: server,
    inject: script(
      'ip address show dev eth1 | awk \'/inet /{print $2}\' >/run/lab-address; ip address add 10.77.0.200/24 dev eth1; ip address del "$(cat /run/lab-address)" dev eth1',
      'ip address add "$(cat /run/lab-address)" dev eth1; ip address del 10.77.0.200/24 dev eth1; systemctl restart consul nomad',
    ),
    run: rerunOf('server'),
    expect: refused('network-undecided', /cluster address is 10\.77\.0\.\d+[\s\S]*10\.77\.0\.200/),
  },
  {
    id: 'link-down',
    title: "the cluster's network is down",
    on: 'shared',
    argv: server,
    inject: script('ip link set eth1 down', 'ip link set eth1 up'),
    expect: refused('network-undecided', /eth1/),
  },
  {
    id: 'memory-little',
    title: 'the machine has 256 MiB of memory',
    on: 'shared',
    imitated: 'a recorded /proc/meminfo lies over the real one',
    inject: script(
      "sed 's/^MemTotal:.*/MemTotal:         262144 kB/' /proc/meminfo >/run/meminfo; mount --bind /run/meminfo /proc/meminfo",
      'umount /proc/meminfo',
    ),
    expect: refused('preflight-failed', /256 MiB/),
  },
  {
    id: 'port-taken',
    title: "another program has Nomad's port",
    on: 'shared',
    argv: server,
    inject: script(listenOn(4646), 'kill "$(cat /run/listener)"'),
    expect: refused('preflight-failed', /port 4646 is used by perl \(pid \d+\)/),
  },
  {
    id: 'port-taken-since',
    title: "another program has Consul's port when it is started again",
    on: 'node',
    argv: server,
    inject: script(`systemctl stop consul; ${listenOn(8500)}`, 'kill "$(cat /run/listener)"'),
    expect: refused('agent-not-starting', /address already in use/),
  },
  {
    id: 'agents-by-hand',
    title: 'agents were installed by hand',
    on: 'shared',
    inject: script(
      "printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/nomad.service",
      'rm /etc/systemd/system/nomad.service',
    ),
    expect: refused('preflight-failed', /\/etc\/systemd\/system\/nomad\.service/),
  },
  {
    id: 'unit-masked',
    title: "Consul's unit is masked",
    argv: server,
    inject: script('ln -s /dev/null /etc/systemd/system/consul.service', 'systemctl unmask consul'),
    expect: refused('preflight-failed', /masked[\s\S]*systemctl unmask consul/),
  },
  {
    id: 'own-configuration-wrong',
    title: "an operator's file beside ours does not please the agent",
    argv: server,
    inject: script(
      "mkdir -p /etc/nomad.d; echo 'server { bootstrap_expekt = 1 }' >/etc/nomad.d/zz.hcl",
      'rm /etc/nomad.d/zz.hcl',
    ),
    expect: refused('config-refused', /zz\.hcl[\s\S]*bootstrap_expekt/),
  },
  {
    id: 'data-not-its-own',
    title: 'Consul may not write to its data any more',
    on: 'node',
    argv: server,
    inject: script('systemctl stop consul; chown -R root:root /opt/consul', 'chown -R consul:consul /opt/consul'),
    expect: refused('agent-not-starting', /permission denied/),
  },
  {
    id: 'user-there',
    title: 'there is a user called nomad already',
    argv: server,
    inject: script('useradd --uid 1500 --create-home nomad'),
    expect: survived(),
  },
  {
    id: 'lslocks-missing',
    title: 'lslocks, which names who holds a lock, is missing, and dpkg is at work',
    inject: script('mv "$(command -v lslocks)" /root/; (sleep 6 | dpkg --set-selections) >/dev/null 2>&1 & sleep 0.5'),
    expect: survived(),
  },
  {
    id: 'flock-missing',
    title: 'flock, with which runs keep out of each other, is missing',
    on: 'shared',
    inject: script('mv /usr/bin/flock /usr/bin/flock.lab', 'mv /usr/bin/flock.lab /usr/bin/flock'),
    expect: refusedUntouched('command-failed', /flock[\s\S]*util-linux/),
  },
  {
    id: 'ss-missing',
    title: 'ss, which tells who listens, is missing',
    argv: server,
    inject: script('mv "$(command -v ss)" /root/'),
    expect: survived(),
  },
  {
    id: 'record-damaged',
    title: 'the record of the settings is damaged',
    on: 'node',
    argv: server,
    inject: script(
      'cp -a /etc/nomad-bootstrap/settings.json /root/; head -c 100 /root/settings.json >/etc/nomad-bootstrap/settings.json',
      'cp -a /root/settings.json /etc/nomad-bootstrap/settings.json',
    ),
    expect: refused('record-unreadable', /settings\.json/),
  },
  {
    id: 'record-lost',
    title: 'the record of the settings is gone, and the command line is given again',
    on: 'node',
    argv: server,
    inject: script(asNew),
    expect: survived(),
  },
  {
    id: 'journal-torn',
    title: "the journal's last line was cut off by a crash",
    on: 'node',
    argv: server,
    inject: script(
      'printf \'{"entry":99,"id":"file:/x","un\' >>/var/lib/nomad-bootstrap/journal; echo "# by hand" >>/etc/consul.d/consul.hcl',
    ),
    expect: survived(),
  },
  {
    id: 'another-unit-failed',
    title: 'another service of the machine has failed',
    argv: server,
    inject: script(
      "printf '[Service]\\nExecStart=/bin/false\\n' >/etc/systemd/system/other.service; systemctl daemon-reload; systemctl start other || true",
    ),
    expect: survived(),
  },
  {
    id: 'sysctl-read-only',
    title: "one of the kernel's settings cannot be changed",
    inject: script(
      'echo 0 >/run/ip_forward; mount --bind /run/ip_forward /proc/sys/net/ipv4/ip_forward; mount -o remount,bind,ro /proc/sys/net/ipv4/ip_forward',
      'umount /proc/sys/net/ipv4/ip_forward',
    ),
    expect: refused('command-failed', /ip_forward[\s\S]*(permission denied|[Rr]ead-only)/),
  },
];

/** A program that listens on all addresses until it is told to end. */
function listenOn(port: number): string {
  const listen = `socket(S,PF_INET,SOCK_STREAM,0); setsockopt(S,SOL_SOCKET,SO_REUSEADDR,1); bind(S,sockaddr_in(${port},INADDR_ANY)) or die; listen(S,5); sleep 600`;
  return `(exec perl -MSocket -e '${listen}') >/dev/null 2>&1 & echo $! >/run/listener; sleep 0.5`;
}

async function fakeTime(world: World): Promise<undefined> {
  // Unpacked beside everything that a package would leave.
  await shell(
    world,
    `test -e /run/libfaketime.so.1 && exit 0
mkdir -p /run/lab-apt/lists /run/lab-apt/archives/partial
apt="apt-get -qq -o Dir::State::lists=/run/lab-apt/lists -o Dir::Cache=/run/lab-apt -o Dir::Cache::archives=/run/lab-apt/archives -o APT::Sandbox::User=root"
$apt update && cd /run/lab-apt && $apt download libfaketime && dpkg-deb -x libfaketime*.deb . && cp usr/lib/*/faketime/libfaketime.so.1 /run/`,
  );
  return undefined;
}

function atTime(time: string): NonNullable<BootstrapFault['run']> {
  return async ({ node }, argv) => {
    const { bootstrap } = await import('../../cluster/bootstrap.ts');
    return bootstrap(node, argv, {
      env: { LD_PRELOAD: '/run/libfaketime.so.1', FAKETIME: `@${time}`, FAKETIME_DONT_FAKE_MONOTONIC: '1' },
    });
  };
}

/** A server of a cluster of two, on another node of the lab. */
async function serverBeside({ lab }: World, name: string) {
  const { freshNode } = await import('../../cluster/bootstrap.ts');
  const other = await freshNode(lab, {});
  const line = ['server', '--insecure', '--network', 'eth1', '--expect', '1', '--name', name];
  await other.exec(['nomad-bootstrap', ...line, ...lab.mirror.offer.flags], { timeoutMs: 300_000 });
  return other;
}

function neighbour({ lab, node }: World): string {
  const others = lab.nodes().filter(({ name, isRunning }) => name !== node.name && isRunning());
  return others.at(-1)?.vlanAddress ?? '';
}

/** Joins the server beside. */
function joining(more: readonly string[]): NonNullable<BootstrapFault['run']> {
  return async (world, argv) => {
    const { bootstrap } = await import('../../cluster/bootstrap.ts');
    return bootstrap(world.node, [...argv, ...more, '--join', neighbour(world)]);
  };
}

function joins(more: readonly string[]): NonNullable<BootstrapFault['heals']> {
  return async world => {
    const line = ['client', '--insecure', '--docker', 'none', '--network', 'eth1', '--join', neighbour(world), ...more];
    await world.node.exec(['nomad-bootstrap', ...line, ...world.lab.mirror.offer.flags], { timeoutMs: 300_000 });
  };
}

/** As it is run on a node that has its settings on record. */
function rerunOf(command: string): NonNullable<BootstrapFault['run']> {
  return async ({ node }) => (await import('../../cluster/bootstrap.ts')).bootstrap(node, [command]);
}
