import { readAsset } from '../assets.ts';
import { joinsOverVlan, searchesToJoin } from '../config/config.ts';
import type { Step } from '../core/types.ts';
import { directory } from '../resources/directory.ts';
import { file } from '../resources/file.ts';
import { service } from '../resources/service.ts';
import { isNode, type NodeTarget, type Target } from '../target.ts';
import { render } from '../templates.ts';

const folder = '/usr/local/lib/nomad-bootstrap';
const program = { mode: 0o755, owner: 'root:root' };

/** Prints the addresses of the servers that Consul found, for Nomad, which is not given the token of Linode's API. */
export const consulServers = `${folder}/consul-servers`;

/**
 * Finding the others on the VLAN, for --join vlan: Linode's API knows no VLAN addresses, so that go-discover cannot. A unit
 * keeps what answers on the subnet under one name in /etc/hosts, which both agents resolve anew at every attempt to join.
 * With --join linode:... Consul finds the others by Linode's API, and Nomad's servers ask Consul.
 */
export const peers: Step<Target> = {
  id: 'peers',
  title: 'Discovery of the other nodes',
  after: [],
  appliesTo: target => isNode(target) && (joinsOverVlan(target.config.node) || asksConsul(target)),
  resources: target =>
    isNode(target)
      ? [
          directory(folder, program),
          ...(asksConsul(target)
            ? [file(consulServers, readAsset('systemd/nomad-bootstrap-consul-servers.sh'), program)]
            : []),
          ...(joinsOverVlan(target.config.node)
            ? [
                file(`${folder}/peers`, readAsset('systemd/nomad-bootstrap-peers.sh'), program),
                file('/etc/systemd/system/nomad-bootstrap-peers.service', peersUnit(target), {
                  mode: 0o644,
                  owner: 'root:root',
                }),
                service('nomad-bootstrap-peers'),
              ]
            : []),
        ]
      : [],
};

function asksConsul({ config: { node } }: NodeTarget): boolean {
  return node.runsServer && searchesToJoin(node).length > 0;
}

function peersUnit({ config: { node } }: NodeTarget): string {
  const { address, cidr } = node.network;
  const prefixLength = cidr.split('/')[1] ?? '32';
  return render(readAsset('templates/nomad-bootstrap-peers.service.mustache'), {
    address: `${address}/${prefixLength}`,
  });
}
