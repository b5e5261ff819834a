import { readAsset } from '../assets.ts';
import type { Step } from '../core/types.ts';
import { service } from '../resources/service.ts';
import { unitFile } from '../resources/unit-file.ts';
import { isSecure, type Target } from '../target.ts';

const unit = 'nomad-bootstrap-metadata-shield.service';

/** The node's token may lie in its user data, which any process could ask for. Before the first job can run. */
export const metadataShield: Step<Target> = {
  id: 'metadata-shield',
  title: "All but root kept from Linode's metadata service",
  after: ['packages'],
  appliesTo: isSecure,
  resources: () => [unitFile(unit, readAsset(`systemd/${unit}`)), service(unit)],
};
