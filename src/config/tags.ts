import { BootstrapError } from '../core/errors.ts';
import type { Facts } from '../facts/facts.ts';
import type { Layer } from './load.ts';
import { mergeLayers } from './load.ts';
import type { Settings } from './options.ts';
import type { Recorded } from './record.ts';

/** Tags that say a setting: `nomad-expect-3` and so on. What else begins with `nomad-` is somebody's own. */
const settingTags = {
  'nomad-expect-': 'expect',
  'nomad-join-': 'join',
  'nomad-datacenter-': 'datacenter',
  'nomad-pool-': 'nodePool',
  'nomad-class-': 'nodeClass',
} as const;

/**
 * What `auto` makes of this machine: the recorded role, else the one that the Linode's tags give (`nomad-server`, `nomad-client`; both:
 * a server that runs jobs, too), and the settings with what only the tags say added. Throws `role-unknown`, and `bad-setting`
 * for a tag whose value cannot be used.
 */
export function decideRole(
  settings: Settings,
  recorded: Recorded | undefined,
  { linode }: Facts,
): { readonly role: 'server' | 'client' | 'dev'; readonly settings: Settings } {
  const former = recorded?.config.node?.role;
  if (former !== undefined) return { role: former, settings };

  const tags = linode?.tags ?? [];
  const isServer = tags.includes('nomad-server');
  const isClient = tags.includes('nomad-client');
  if (!isServer && !isClient) {
    throw new BootstrapError(
      'role-unknown',
      linode === undefined
        ? 'this machine is no Linode with tags, and was not bootstrapped before'
        : `none of the tags of this Linode says what it is to be: ${tags.join(', ') || 'it has none'}`,
      {
        hint: 'give the Linode the tag nomad-server or nomad-client, or say server or client instead of auto. Nothing was touched.',
      },
    );
  }
  const values: Record<string, string> = isServer && isClient ? { withClient: 'true' } : {};
  for (const [prefix, name] of Object.entries(settingTags)) {
    const tag = tags.find(candidate => candidate.startsWith(prefix));
    if (tag !== undefined) values[name] = tag.slice(prefix.length);
  }
  const layer: Layer = { place: name => `the Linode's tag for ${name}:`, values };
  return { role: isServer ? 'server' : 'client', settings: { ...mergeLayers([layer]), ...settings } };
}
