import { readAsset } from '../assets.ts';
import { joinsOverVlan } from '../config/config.ts';
import type { Step } from '../core/types.ts';
import { directory } from '../resources/directory.ts';
import { file } from '../resources/file.ts';
import { service } from '../resources/service.ts';
import { isNode, type NodeTarget, type Target } from '../target.ts';
import { render } from '../templates.ts';

/**
 * Finding the others on the VLAN, for --join vlan: Linode's API knows no VLAN addresses, so that go-discover cannot. A unit
 * keeps what answers on the subnet under one name in /etc/hosts, which both agents resolve anew at every attempt to join.
 */
export const peers: Step<Target> = {
  id: 'peers',
  title: 'Discovery of the other nodes on the VLAN',
  after: [],
  appliesTo: target => isNode(target) && joinsOverVlan(target.config.node),
  resources: target =>
    isNode(target)
      ? [
          directory('/usr/local/lib/nomad-bootstrap', { mode: 0o755, owner: 'root:root' }),
          file('/usr/local/lib/nomad-bootstrap/peers', readAsset('systemd/nomad-bootstrap-peers.sh'), {
            mode: 0o755,
            owner: 'root:root',
          }),
          file('/etc/systemd/system/nomad-bootstrap-peers.service', peersUnit(target), {
            mode: 0o644,
            owner: 'root:root',
          }),
          service('nomad-bootstrap-peers'),
        ]
      : [],
};

function peersUnit({ config: { node } }: NodeTarget): string {
  const { address, cidr } = node.network;
  const prefixLength = cidr.split('/')[1] ?? '32';
  return render(readAsset('templates/nomad-bootstrap-peers.service.mustache'), {
    address: `${address}/${prefixLength}`,
  });
}
