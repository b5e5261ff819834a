import { type Answer, type Question, textAnswer } from './answers.ts';
import type { LinodeInstance } from './types.ts';

/** The token of the lab's account. */
export const labApiToken = 'labtoken0123456789abcdef0123456789abcdef';

/**
 * Of Linode's API what go-discover asks: the account's Linodes (`X-Filter` by region and tag), and the addresses of each. Also of
 * those that are not booted. Source: https://techdocs.akamai.com/linode-api/reference/get-linode-instances, get-linode-ips.
 */
export function linodeApiAnswer(question: Question, instances: readonly LinodeInstance[]): Answer {
  if (question.headers['authorization'] !== `Bearer ${labApiToken}`)
    return json({ errors: [{ reason: 'Invalid Token' }] }, 401);
  if (question.path === '/v4/linode/instances') {
    const filter = JSON.parse(question.headers['x-filter'] ?? '{}') as { region?: string; tags?: string };
    const found = instances.filter(
      ({ region, tags }) =>
        (filter.region === undefined || filter.region === region) &&
        (filter.tags === undefined || tags.includes(filter.tags)),
    );
    const data = found.map(({ id, label, region, type, tags }) => ({
      id,
      label,
      region,
      type,
      tags,
      status: 'running',
    }));
    return json({ data, page: 1, pages: 1, results: data.length });
  }
  const [, id] = /^\/v4\/linode\/instances\/(\d+)\/ips$/.exec(question.path) ?? [];
  const instance = instances.find(candidate => String(candidate.id) === id);
  if (instance === undefined) return json({ errors: [{ reason: 'Not found' }] }, 404);
  const list = (cidrs: readonly string[]) => cidrs.map(cidr => ({ address: cidr.replace(/\/\d+$/, '') }));
  return json({
    ipv4: {
      public: list(instance.ipv4.public),
      private: list(instance.ipv4.private),
      shared: [],
      reserved: [],
      vpc: [],
    },
    ipv6: {},
  });
}

function json(document: object, status = 200): Answer {
  return { ...textAnswer(status, JSON.stringify(document)), headers: { 'content-type': 'application/json' } };
}
