import { expect, test } from 'vitest';
import type { Inspection } from '../../src/core/types.ts';
import { factsDocument, renderFacts } from '../../src/reporters/facts-text.ts';
import { factsOf, hostNames } from '../support/hosts.ts';

const inspection: Inspection = {
  manufacturer: 'Linode',
  model: 'Compute Instance',
  memoryBytes: 4_205_838_336,
  swapBytes: 536_866_816,
  fileSystems: [{ mount: '/', sizeBytes: 84_289_454_080, availableBytes: 76_000_000_000 }],
};

test('facts are shown to people one a line, the best address to cluster on first', async () => {
  expect(renderFacts(await factsOf('debian-12'), inspection)).toBe(`\
system      Debian GNU/Linux 12 (bookworm), amd64
host name   localhost
hardware    Linode Compute Instance
Linode      nomad-s1 (51234501) in de-fra-2, tags nomad-server nomad-expect-3, from its metadata service
kernel      6.1.0-41-amd64
            bridge not loaded, br_netfilter not loaded
cgroups     version 2: cpuset cpu io memory hugetlb pids rdma misc
processors  2
memory      4010 MiB, and 511 MiB of swap
disk        30720 of 40960 MiB available on /
init        systemd
SELinux     disabled
firewall    none
installed   no agents, no Docker
addresses   vlan     eth1  10.0.0.21/24
            private  eth0  192.168.140.77/17
            public   eth0  203.0.113.21/24
`);
});

test('what is not known is said to be unknown', async () => {
  const facts = await factsOf('debian-12-i686');
  const text = renderFacts({ ...facts, candidates: [], linode: { id: 7, tags: [], source: 'none' } });
  expect(text).toContain('system      Debian GNU/Linux 12 (bookworm), i686, which the agents are not built for\n');
  expect(text).toContain('Linode      yes, 7; its metadata service does not answer\n');
  expect(text).toContain('addresses   none to cluster on\n');
  expect(text).not.toContain('hardware');
});

test('installed agents are shown with their versions', async () => {
  expect(renderFacts(await factsOf('ubuntu-26.04'))).toContain(
    'installed   nomad 2.0.5, consul 2.0.3, docker 29.10.0\n',
  );
});

test('the JSON document has the same keys on every machine', async () => {
  const documents = await Promise.all(hostNames.map(async name => factsDocument(await factsOf(name))));
  const keys = documents.map(document =>
    Object.keys(JSON.parse(JSON.stringify(document)))
      .sort()
      .join(' '),
  );
  expect(new Set(keys)).toEqual(
    new Set([
      'addresses architecture candidates cgroups cpuCount disk firewall hardware hostname init installed kernel linode machine memoryMiB os selinux swapMiB',
    ]),
  );
});

test('the JSON document tells the hardware where it was inspected', async () => {
  const document = factsDocument(await factsOf('fedora-44'), inspection);
  expect(document).toMatchObject({ hardware: { manufacturer: 'Linode', model: 'Compute Instance' }, linode: null });
});
