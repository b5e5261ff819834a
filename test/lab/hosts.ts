/** The lab's two networks. They are the same in every lab: each lab has a network namespace of its own. */
export const networks = {
  /** Like a Linode's eth0: the mirror, the metadata service and the way out (there is none) are here. */
  public: { bridge: 'public', prefix: '203.0.113', gateway: '203.0.113.1' },
  /** Like a Linode's VLAN on eth1: no gateway, the cluster's own. */
  vlan: { bridge: 'vlan', prefix: '10.77.0', gateway: undefined },
} as const;

/** The metadata service's address, as on a Linode. */
export const metadataAddress = '169.254.169.254';

/** Names that a node's /etc/hosts gives to the mirror: the production upstreams, the distributions' archives, and a web server of one's own. */
export const mirroredHosts: readonly string[] = [
  'apt.releases.hashicorp.com',
  'rpm.releases.hashicorp.com',
  'releases.hashicorp.com',
  'api.releases.hashicorp.com',
  'download.docker.com',
  'github.com',
  'objects.githubusercontent.com',
  'release-assets.githubusercontent.com',
  'api.linode.com',
  'archive.lab',
  'dnf.lab',
  'mirror.lab',
  'release.lab',
];
