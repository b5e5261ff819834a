import type { Step } from '../core/types.ts';
import type { Target } from '../target.ts';

/** The upstreams' package repositories, with the keys that must vouch for their packages. */
export const repositories: Step<Target> = {
  id: 'repositories',
  title: "HashiCorp's and Docker's package repositories",
  resources: ({ platform, facts, config, resolution }) => platform.repositories(facts, config, resolution),
};
