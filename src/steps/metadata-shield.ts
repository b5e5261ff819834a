import { readAsset } from '../assets.ts';
import type { Step } from '../core/types.ts';
import { service } from '../resources/service.ts';
import { unitFile } from '../resources/unit-file.ts';
import { isSecure, type Target } from '../target.ts';

const unit = 'nomad-bootstrap-metadata-shield.service';

/** The client's token may lie in the node's user data, which any process could ask for. Before the first job can run. */
export const metadataShield: Step<Target> = {
  id: 'metadata-shield',
  title: "Jobs kept from Linode's metadata service",
  after: ['packages'],
  appliesTo: target => isSecure(target) && target.config.node.runsClient,
  resources: () => [unitFile(unit, readAsset(`systemd/${unit}`)), service(unit)],
};
