import { describe, expect, test } from 'vitest';
import { answerOf, consulUrl, describedClient, describedServer, json, nomadUrl, resultOf } from './node.ts';

const consulMembers = `${consulUrl}/v1/agent/members`;
const nomadMembers = `${nomadUrl}/v1/agent/members`;
const consulAutopilot = `${consulUrl}/v1/operator/autopilot/health`;
const nomadAutopilot = `${nomadUrl}/v1/operator/autopilot/health`;

describe('consul-agent', () => {
  const own = (members: readonly { Name: string; Addr: string }[]) => {
    const member = members.find(({ Name }) => Name === 'nomad-s1');
    if (member === undefined) throw new Error('nomad-s1 is none of the recorded members');
    return member;
  };

  test('fails with every fact in which the running agent differs from the settings', async () => {
    const body = answerOf('three-servers', consulMembers);
    Object.assign(own(body), { Addr: '172.17.0.1', Name: 'localhost' });

    const { status, detail } = await resultOf(
      'consul-agent',
      describedServer('three-servers', { requests: { [`GET ${consulMembers}`]: json(body) } }),
    );

    expect(status).toBe('fail');
    expect(detail).toBe('node name is localhost, not nomad-s1; advertised address is 172.17.0.1, not 127.0.1.11');
  });

  test('knows this node by its name where its data are elsewhere, and says when it knows it by nothing', async () => {
    const elsewhere = { files: { '/opt/consul/node-id': undefined } };
    const body = answerOf('three-servers', consulMembers);
    own(body).Name = 'localhost';
    const renamed = { ...elsewhere, requests: { [`GET ${consulMembers}`]: json(body) } };

    expect(await resultOf('consul-agent', describedServer('three-servers', elsewhere))).toMatchObject({
      status: 'pass',
    });
    expect(await resultOf('consul-agent', describedServer('three-servers', renamed))).toMatchObject({
      status: 'fail',
      detail:
        'none of the 4 members that Consul names is this node, by the name nomad-s1 or the id in /opt/consul/node-id',
    });
  });

  test('says so when access control hides the members', async () => {
    const { status, detail, hint } = await resultOf(
      'consul-agent',
      describedServer('three-servers', { requests: { [`GET ${consulMembers}`]: json([]) } }),
    );

    expect({ status, detail }).toEqual({ status: 'fail', detail: 'Consul names no member, not even itself' });
    expect(hint).toContain('acl block');
  });

  test('fails with what systemd says when nothing answers', async () => {
    const { detail, hint } = await resultOf(
      'consul-agent',
      describedServer('three-servers', {
        requests: { [`GET ${consulMembers}`]: 'unreachable' },
        commands: {
          'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts consul.service': {
            stdout: 'LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\nNRestarts=7\n',
          },
        },
      }),
    );

    expect(detail).toBe(
      'nothing answers on 127.0.0.1:8500; consul.service is activating (auto-restart), restarted 7 times',
    );
    expect(hint).toContain('journalctl -u consul');
  });

  test.each([
    ['403', { status: 403, body: 'Permission denied: token lacks permission' }, 'no token that may ask Consul'],
    ['400', { status: 400, body: 'Client sent an HTTP request to an HTTPS server.\n' }, 'asks for HTTPS'],
    ['500', { status: 500, body: 'rpc error: oh no' }, 'journalctl -u consul'],
    ['garbage', { body: '<html>welcome</html>' }, 'ss -ltnp'],
    ['another shape', { body: '[{"Name":"nomad-s1"}]' }, 'ss -ltnp'],
    ['nothing', { body: '' }, 'ss -ltnp'],
  ])('fails with the reason and a way on when the answer is %s', async (_name, answer, hint) => {
    const result = await resultOf(
      'consul-agent',
      describedServer('three-servers', { requests: { [`GET ${consulMembers}`]: answer } }),
    );

    expect(result.status).toBe('fail');
    expect(result.detail).not.toContain('the check itself failed');
    expect(result.hint).toContain(hint);
  });
});

describe('nomad-agent', () => {
  test('fails when the agent has another role than its settings', async () => {
    const { status, detail } = await resultOf(
      'nomad-agent',
      describedServer('three-servers', { node: { role: 'server', runsClient: true } }),
    );

    expect({ status, detail }).toEqual({ status: 'fail', detail: 'client is off, not on' });
  });
});

describe('nomad-advertise', () => {
  test('fails with the addresses that are not the cluster address', async () => {
    const self = `${nomadUrl}/v1/agent/self`;
    const body = answerOf('three-servers', self);
    body.config.AdvertiseAddrs = { HTTP: '127.0.1.11:4646', RPC: '172.17.0.1:4647', Serf: '[fd00::1]:4648' };

    const { status, detail } = await resultOf(
      'nomad-advertise',
      describedServer('three-servers', { requests: { [`GET ${self}`]: json(body) } }),
    );

    expect({ status, detail }).toEqual({
      status: 'fail',
      detail: 'rpc 172.17.0.1, serf fd00::1 instead of 127.0.1.11',
    });
  });
});

describe('the leaders', () => {
  test('are given a moment to be elected', async () => {
    let asked = 0;
    const { host, target } = await describedServer('three-servers');
    const electing = {
      ...host,
      request: async (url: string) => {
        if (!url.includes('/v1/status/leader')) return host.request(url);
        asked += 1;
        return asked === 1 ? { status: 200, headers: {}, body: new TextEncoder().encode('""') } : host.request(url);
      },
    };

    expect(await resultOf('consul-leader', Promise.resolve({ host: electing, target }))).toMatchObject({
      status: 'pass',
      detail: '127.0.1.12:8300',
    });
    expect(asked).toBe(2);
  });

  test('are missed with how many servers there are', async () => {
    const { detail, hint } = await resultOf('nomad-leader', describedServer('forming'));

    expect(detail).toBe('no leader; 1 of 3 servers');
    expect(hint).toBe('bring up the other servers: the first leader is elected when all 3 are there');
  });

  test('are missed with who is gone', async () => {
    const { hint } = await resultOf('consul-leader', describedServer('majority-lost'));

    expect(hint).toBe('start nomad-s2, nomad-s3 again: a leader needs 2 of 3 servers');
  });

  test('are missed with the ports to open when a majority is in sight', async () => {
    const { detail, hint } = await resultOf(
      'consul-leader',
      describedServer('three-servers', { requests: { [`GET ${consulUrl}/v1/status/leader`]: json('') } }),
    );

    expect(detail).toBe('no leader; 3 of 3 servers');
    expect(hint).toContain('TCP 8300');
  });

  test('are missed on a client that knows no server, without waiting for one', async () => {
    const self = `${nomadUrl}/v1/agent/self`;
    const body = answerOf('client', self);
    body.stats.client.known_servers = '';
    const described = await describedClient({ requests: { [`GET ${self}`]: json(body) } });

    const { detail, hint } = await resultOf('nomad-leader', Promise.resolve(described));

    expect(detail).toBe('this client knows no server');
    expect(hint).toContain('127.0.1.11, 127.0.1.12');
    expect(described.host.gets).not.toContain(`GET ${nomadUrl}/v1/status/leader?stale`);
  });

  test('are missed with the words of a client whose servers do not answer', async () => {
    // What a client of Nomad 2.0.5 answered after its servers were killed.
    const body = 'rpc error: failed to get conn: dial tcp 127.0.1.13:4647: connect: connection refused';
    const { status, detail } = await resultOf(
      'nomad-leader',
      describedClient({ requests: { [`GET ${nomadUrl}/v1/status/leader?stale`]: { status: 500, body } } }),
    );

    expect(status).toBe('fail');
    expect(detail).toBe(`Nomad answered 500 to /v1/status/leader?stale: ${body}`);
  });
});

describe('consul-members', () => {
  test('warns of a client that failed, which is no fault of the cluster', async () => {
    const members = answerOf('three-servers', consulMembers);
    for (const member of members) if (member.Name === 'nomad-c1') member.Status = 4;

    const { status, detail, hint } = await resultOf(
      'consul-members',
      describedServer('three-servers', { requests: { [`GET ${consulMembers}`]: json(members) } }),
    );

    expect({ status, detail }).toEqual({ status: 'warn', detail: '1 of 4 failed: nomad-c1' });
    expect(hint).toContain('consul force-leave nomad-c1');
  });

  test('fails when all others have failed, as for a node that is cut off', async () => {
    const members = answerOf('client', consulMembers);
    for (const member of members) if (member.Name !== 'nomad-c1') member.Status = 4;

    const { status, detail } = await resultOf(
      'consul-members',
      describedClient({ requests: { [`GET ${consulMembers}`]: json(members) } }),
    );

    expect({ status, detail }).toEqual({
      status: 'fail',
      detail: '3 of 4 failed: nomad-s1, nomad-s2, nomad-s3',
    });
  });

  test('does not count who left on purpose', async () => {
    const { status, detail } = await resultOf('consul-members', describedServer('server-gone'));

    expect({ status, detail }).toEqual({ status: 'pass', detail: '3 members alive' });
  });
});

describe('consul-servers and nomad-members', () => {
  /** What the third server was told, where raft has these peers. */
  function differing(expect: string, peers: readonly string[]) {
    const members = answerOf('three-servers', nomadMembers);
    for (const member of members.Members) if (member.Name === 'nomad-s3.global') member.Tags.expect = expect;
    const requests = { [`GET ${nomadMembers}`]: json(members), [`GET ${nomadUrl}/v1/status/peers?stale`]: json(peers) };
    return resultOf('nomad-members', describedServer('three-servers', { requests }));
  }

  test('fail when servers expect different numbers of servers and have not formed a cluster, and say who does', async () => {
    const { status, detail } = await differing('5', []);

    expect(status).toBe('fail');
    expect(detail).toContain('3 by nomad-s1, nomad-s2');
    expect(detail).toContain('5 by nomad-s3');
  });

  test('count the most that any server was told, once there is a cluster: it grows without a change on the others', async () => {
    const peers = ['127.0.1.11:4647', '127.0.1.12:4647', '127.0.1.13:4647'];

    expect(await differing('1', peers)).toMatchObject({ status: 'pass', detail: expect.stringContaining('3 of 3') });
    expect(await differing('5', peers)).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(/^3 of 5 servers: .*; 5 are expected by nomad-s\d$/),
    });
  });

  test('fail on a client without any server in sight, with where it looks', async () => {
    const own = answerOf('client', consulMembers).filter((member: { Name: string }) => member.Name === 'nomad-c1');

    const { status, detail, hint } = await resultOf(
      'consul-servers',
      describedClient({ requests: { [`GET ${consulMembers}`]: json(own) } }),
    );

    expect({ status, detail }).toEqual({ status: 'fail', detail: 'no Consul server is in sight' });
    expect(hint).toContain('127.0.1.11, 127.0.1.12');
  });

  test('warn of a server too many, and of a dead one beside as many as expected', async () => {
    const members = answerOf('three-servers', consulMembers);
    const servers = members.filter(({ Tags }: { Tags: { role: string } }) => Tags.role === 'consul');
    const fourth = { ...servers[0], Name: 'nomad-s4' };
    const ask = (more: object) =>
      resultOf(
        'consul-servers',
        describedServer('three-servers', { requests: { [`GET ${consulMembers}`]: json([...servers, more]) } }),
      );

    expect(await ask(fourth)).toMatchObject({ status: 'warn' });
    expect(await ask({ ...fourth, Status: 4 })).toMatchObject({
      status: 'warn',
      detail: '3 of 3 servers, and nomad-s4 failed',
      hint: 'consul force-leave nomad-s4, if it is gone for good',
    });
  });

  test('count only the servers of the own region', async () => {
    const members = answerOf('three-servers', nomadMembers);
    members.Members.push({
      ...members.Members[0],
      Name: 'far.europe',
      Tags: { ...members.Members[0].Tags, region: 'europe' },
    });

    const { status, detail } = await resultOf(
      'nomad-members',
      describedServer('three-servers', { requests: { [`GET ${nomadMembers}`]: json(members) } }),
    );

    expect({ status, detail }).toEqual({ status: 'pass', detail: '3 of 3 servers: nomad-s1, nomad-s2, nomad-s3' });
  });

  test('take a server that bootstraps alone for one of one', async () => {
    const members = answerOf('forming', consulMembers);
    delete members[0].Tags.expect;
    members[0].Tags.bootstrap = '1';

    const { status, detail } = await resultOf(
      'consul-servers',
      describedServer('forming', {
        node: { expect: 1, join: [] },
        requests: { [`GET ${consulMembers}`]: json(members) },
      }),
    );

    expect({ status, detail }).toEqual({ status: 'pass', detail: '1 of 1 server: nomad-s1' });
  });
});

describe('autopilot', () => {
  test('reads an answer of 429 as unhealthy, not as a limit', async () => {
    const { status, detail, hint } = await resultOf('nomad-autopilot', describedServer('server-failed'));

    expect({ status, detail }).toEqual({ status: 'fail', detail: 'nomad-s2 does not answer' });
    expect(hint).toContain('systemctl status nomad');
  });

  test('says which server does not keep up', async () => {
    const body = answerOf('three-servers', consulAutopilot);
    body.Healthy = false;
    const [server] = body.Servers;
    Object.assign(server, { Healthy: false, LastContact: '3.2s' });

    const { status, detail } = await resultOf(
      'consul-autopilot',
      describedServer('three-servers', { requests: { [`GET ${consulAutopilot}`]: json(body, 429) } }),
    );

    expect({ status, detail }).toEqual({
      status: 'fail',
      detail: `${server.Name} does not keep up (last contact 3.2s)`,
    });
  });

  test('gives a new leader time to judge', async () => {
    // What a leader of Nomad 2.0.5 answers in its first seconds.
    const body = { FailureTolerance: 0, Healthy: false, Leader: '', Servers: [], Voters: [] };

    expect(
      await resultOf(
        'nomad-autopilot',
        describedServer('three-servers', { requests: { [`GET ${nomadAutopilot}`]: json(body, 429) } }),
      ),
    ).toMatchObject({ status: 'warn', detail: 'the leader has not judged the servers yet' });
  });

  test('gives a new server time to become a voter, and no more', async () => {
    const body = answerOf('three-servers', nomadAutopilot);
    const third = body.Servers.find(({ Name }: { Name: string }) => Name === 'nomad-s3.global');
    third.Voter = false;
    const ask = (stableSince: string) => {
      third.StableSince = stableSince;
      return resultOf(
        'nomad-autopilot',
        describedServer('three-servers', { requests: { [`GET ${nomadAutopilot}`]: json(body) } }),
      );
    };

    expect(await ask('2026-11-22T15:09:55Z')).toMatchObject({
      status: 'warn',
      detail: '2 of 3 voters: nomad-s3 will vote soon',
    });
    expect(await ask('2026-11-22T15:09:00Z')).toMatchObject({ status: 'fail', detail: '2 of 3 voters' });
  });

  test('warns of more voters than any server expects', async () => {
    const members = answerOf('three-servers', nomadMembers);
    for (const member of members.Members) member.Tags.expect = '1';
    const described = { node: { expect: 1 }, requests: { [`GET ${nomadMembers}`]: json(members) } };
    expect(await resultOf('nomad-autopilot', describedServer('three-servers', described))).toMatchObject({
      status: 'warn',
      detail: '3 voters where 1 are expected',
    });
  });

  test('counts the voters that the servers expect which came later', async () => {
    expect(await resultOf('nomad-autopilot', describedServer('three-servers', { node: { expect: 1 } }))).toMatchObject({
      status: 'pass',
      detail: expect.stringContaining('3 of 3 voters'),
    });
  });
});

describe('nomad-in-consul', () => {
  const checks = `${consulUrl}/v1/agent/checks`;

  test('passes with all checks of a server', async () => {
    expect(await resultOf('nomad-in-consul', describedServer('three-servers'))).toMatchObject({
      status: 'pass',
      detail: 'nomad: 3 checks pass',
    });
  });

  test('fails when Nomad has not registered', async () => {
    expect(
      await resultOf(
        'nomad-in-consul',
        describedServer('three-servers', { requests: { [`GET ${checks}`]: json({}) } }),
      ),
    ).toMatchObject({ status: 'fail', detail: 'not registered: nomad' });
  });

  test('fails with what Consul saw, unless it has not looked since there is a leader', async () => {
    const ask = (output: string) => {
      const body = answerOf('three-servers', checks);
      const [first] = Object.values<{ Status: string; Output: string; Name: string }>(body);
      Object.assign(first ?? {}, { Status: 'critical', Output: output });
      return resultOf(
        'nomad-in-consul',
        describedServer('three-servers', { requests: { [`GET ${checks}`]: json(body) } }),
      );
    };

    const failed = await ask('dial tcp 127.0.1.11:4646: connect: connection refused');
    expect(failed.status).toBe('fail');
    expect(failed.detail).toContain('connection refused');
    expect((await ask('')).status).toBe('warn');
    expect((await ask('500 Output: {"server":{"ok":false,"message":"No cluster leader"}}')).status).toBe('warn');
  });
});

describe('versions-agree', () => {
  const members = (change: (member: { Name: string; Tags: { build: string } }) => void) => {
    const body = answerOf('three-servers', nomadMembers);
    for (const member of body.Members) change(member);
    return { requests: { [`GET ${nomadMembers}`]: json(body) } };
  };

  test('warns of servers that differ, since an upgrade goes through that', async () => {
    const newer = members(member => {
      if (member.Name !== 'nomad-s1.global') member.Tags.build = '2.0.10';
    });

    expect(await resultOf('versions-agree', describedServer('three-servers', newer))).toMatchObject({
      status: 'warn',
      detail: "Nomad's servers differ: 2.0.5 on nomad-s1; 2.0.10 on nomad-s2, nomad-s3",
    });
  });

  test.each([
    ['warns', 'patch release', '2.0.4', 'warn'],
    ['fails', 'minor line', '1.11.3', 'fail'],
  ])('%s on a client of a newer %s than all servers', async (_, __, build, status) => {
    const older = members(member => {
      member.Tags.build = build;
    });

    expect(await resultOf('versions-agree', describedClient(older))).toMatchObject({
      status,
      detail: `Nomad 2.0.5 on this node is newer than the servers' ${build}`,
    });
  });

  test('fails when another version is installed than runs', async () => {
    const { status, detail } = await resultOf(
      'versions-agree',
      describedServer('three-servers', { facts: { installed: { nomad: '2.0.5', consul: '1.21.5' } } }),
    );

    expect({ status, detail }).toEqual({ status: 'fail', detail: 'Consul 1.21.4 runs, but 1.21.5 is installed' });
  });
});

describe('the client in the cluster', () => {
  const node = `${nomadUrl}/v1/node/211ca702-78d8-e40d-d053-92829a00cb28`;
  const altered = (change: (body: ReturnType<typeof answerOf>) => void) => {
    const body = answerOf('client', node);
    change(body);
    return { requests: { [`GET ${node}`]: json(body) } };
  };

  test.each([
    ['down', { Status: 'down', StatusDescription: 'heartbeat missed' }, 'down: heartbeat missed'],
    ['drained', { Drain: true, SchedulingEligibility: 'ineligible' }, 'ready, but drained'],
    ['ineligible', { SchedulingEligibility: 'ineligible' }, 'ready, but takes no jobs (ineligible)'],
  ])('is not ready when it is %s', async (_name, fields, detail) => {
    expect(
      await resultOf('nomad-client-ready', describedClient(altered(body => Object.assign(body, fields)))),
    ).toMatchObject({ status: 'fail', detail });
  });

  test('is not ready when the servers do not know it', async () => {
    expect(
      await resultOf(
        'nomad-client-ready',
        describedClient({ requests: { [`GET ${node}`]: { status: 404, body: 'node not found' } } }),
      ),
    ).toMatchObject({ status: 'fail', detail: expect.stringContaining('node not found') });
  });

  test('has drivers that are not well: fails for those that are asked for, warns for exec', async () => {
    expect(await resultOf('nomad-client-drivers', describedClient({ docker: 'docker' }))).toMatchObject({
      status: 'fail',
      detail: 'docker: Failed to connect to docker daemon',
    });
    expect(
      await resultOf(
        'nomad-client-drivers',
        describedClient(
          altered(body => {
            body.Drivers.exec = {
              Detected: true,
              Healthy: false,
              HealthDescription: 'Failed to discover cgroup mount point',
            };
          }),
        ),
      ),
    ).toMatchObject({ status: 'warn', detail: 'exec: Failed to discover cgroup mount point' });
  });

  test('cannot place jobs on a bridge network without the bridge or one of its plugins', async () => {
    expect(
      await resultOf(
        'nomad-client-bridge',
        describedClient(
          altered(body => {
            body.NodeResources.Networks = body.NodeResources.Networks.slice(1);
          }),
        ),
      ),
    ).toMatchObject({ status: 'fail', detail: expect.stringContaining('missing network') });
    expect(
      await resultOf(
        'nomad-client-bridge',
        describedClient(
          altered(body => {
            delete body.Attributes['plugins.cni.version.portmap'];
          }),
        ),
      ),
    ).toMatchObject({ status: 'fail', detail: 'Nomad did not find the CNI plugins portmap' });
  });
});
