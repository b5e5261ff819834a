import { readAsset } from '../assets.ts';
import { addressesToJoin, searchesToJoin } from '../config/config.ts';
import { consulEnvironmentPath, goDiscoverText } from '../config/linode-search.ts';
import type { Secret } from '../core/secret.ts';
import type { Step } from '../core/types.ts';
import { asThisNode, consulApi } from '../own-agents.ts';
import { compareReleases } from '../resolution/package-version.ts';
import { type AgentSpec, agent } from '../resources/agent.ts';
import { directory } from '../resources/directory.ts';
import { packagesId } from '../resources/packages.ts';
import { quorumGuard } from '../resources/quorum-guard.ts';
import { isNode, type NodeTarget, type Target } from '../target.ts';
import { render } from '../templates.ts';
import { serversTurn } from './servers-turn.ts';

export const consul: Step<Target> = {
  id: 'consul',
  title: 'Consul, configured and running',
  after: ['packages/pinned', 'secrets', 'firewall'],
  appliesTo: isNode,
  resources: target =>
    isNode(target)
      ? [
          directory(
            '/opt/consul',
            // On a server it holds every token of Consul's, in files that everyone may read (raft/wal, Consul 1.21).
            { mode: 0o700, owner: 'consul:consul' },
            // Whose script gives it to consul at every upgrade.
            packagesId(target.platform.packages),
          ),
          agent(consulAgent(target)),
        ]
      : [],
};

/** Consul's agent as this node is to run it. */
export function consulAgent(target: NodeTarget): AgentSpec {
  return {
    name: 'consul',
    version: target.resolution.consul.version,
    directory: '/etc/consul.d',
    files: [
      {
        path: '/etc/consul.d/consul.hcl',
        content: consulConfig(target),
        // The package gives its whole folder to this user at every upgrade.
        attributes: { mode: 0o640, owner: 'consul:consul' },
      },
      // The package's own file, empty; its unit reads it.
      ...(target.consulEnvironment === undefined
        ? []
        : [
            {
              path: consulEnvironmentPath,
              content: target.consulEnvironment,
              attributes: { mode: 0o640, owner: 'consul:consul' },
            },
          ]),
      {
        path: '/etc/systemd/system/consul.service.d/10-nomad-bootstrap.conf',
        content: readAsset('systemd/consul.service.d/10-nomad-bootstrap.conf'),
        attributes: { mode: 0o644, owner: 'root:root' },
      },
    ],
    validate: ['/usr/bin/consul', 'validate'],
    // Not /v1/agent/self: see readOwnConsul.
    answersAt: `${consulApi}/v1/agent/members`,
    beforeRestart: host => quorumGuard('Consul', consulApi, target)(asThisNode(host, target)),
    ...serversTurn('Consul', consulApi, target),
  };
}

/** The whole of /etc/consul.d/consul.hcl. */
export function consulConfig({ config: { node }, resolution, credentials }: NodeTarget): string | Secret {
  return render(readAsset('templates/consul.hcl.mustache'), {
    name: node.name,
    datacenter: node.datacenter,
    address: node.network.address,
    plainApiOnCluster: node.api === 'cluster' && credentials === undefined,
    tlsApiOnCluster: node.api === 'cluster' && credentials !== undefined,
    secure: credentials && {
      gossip: credentials.consulGossip,
      management: credentials.kind === 'server' ? credentials.consulManagement : undefined,
      agentToken: credentials.consulAgent,
      recoveryToken: credentials.consulRecovery,
      dnsToken: credentials.consulDns,
    },
    isServer: node.runsServer,
    expect: node.expect,
    // Consul 1.9 renamed it; an older one stops at the new name.
    hasUiConfig: compareReleases(resolution.consul.version, '1.9.0') >= 0,
    hasJoin: node.join.length > 0,
    join: [...addressesToJoin(node), ...searchesToJoin(node).map(goDiscoverText)],
    // A search asks Linode's API once, and once more for each Linode; it limits how often it may be asked.
    retryInterval: searchesToJoin(node).length > 0 ? '15s' : '5s',
  });
}
