import * as z from 'zod';
import { searchesToJoin } from '../../config/config.ts';
import { apiTokenIn, searchText } from '../../config/linode-search.ts';
import { hasCode } from '../../core/errors.ts';
import type { Check, CheckOutcome, HostReader, HttpResponse } from '../../core/types.ts';
import type { Target } from '../../target.ts';

const api = 'https://api.linode.com/v4/linode/instances';

const linodes = z.object({ data: z.array(z.object({ id: z.number() })) });

/**
 * Linode's API lets the token read what Consul will ask for: Linodes, and the addresses of each; and a server is among those that are
 * searched for. Consul itself would only write a refusal into its log, every few seconds. An API that does not answer now may do so later,
 * and Consul asks until then.
 */
export const linodeApi: Check<Target> = {
  id: 'linode-api',
  title: "Linode's API takes its token, and knows this server by its tag",
  appliesTo: ({ config: { node } }) => node !== undefined && searchesToJoin(node).length > 0,
  timeoutMs: 25_000,
  async run(host, { config: { node }, consulEnvironment, facts }) {
    const token = apiTokenIn(consulEnvironment?.reveal() ?? '');
    if (node === undefined || token === undefined) return { status: 'fail', detail: 'there is none', hint: fix };
    const headers = { Authorization: `Bearer ${token.reveal()}`, Accept: 'application/json' };
    const id = facts.linode?.id;

    for (const search of searchesToJoin(node)) {
      const filter = JSON.stringify({ tags: search.tag, region: search.region });
      const answer = await ask(host, api, { ...headers, 'X-Filter': filter });
      const trouble = troubleOf(answer, api);
      if (trouble !== undefined) return trouble;
      const found = linodes.safeParse(jsonOf(answer)).data?.data ?? [];
      if (node.runsServer && id !== undefined && !found.some(linode => linode.id === id)) {
        return {
          status: 'warn',
          detail: `${searchText(search)} finds ${found.length} Linodes, and this one is not among them`,
          hint: 'give this Linode the tag, or mend tag and region: else the others do not find it',
        };
      }
    }
    if (id !== undefined) {
      const addresses = `${api}/${id}/ips`;
      const trouble = troubleOf(await ask(host, addresses, headers), addresses);
      if (trouble !== undefined) return trouble;
    }
    return { status: 'pass', detail: 'Linodes and their addresses can be read' };
  },
};

const fix =
  'make a token that may read Linodes and IPs (linodes:read_only, ips:read_only) in Cloud Manager under API Tokens, and give it with --linode-token-file FILE';

function troubleOf(answer: HttpResponse | undefined, url: string): CheckOutcome | undefined {
  if (answer === undefined) {
    const hint = 'Consul asks it until it does; this node must reach it over HTTPS';
    return { status: 'warn', detail: 'api.linode.com does not answer', hint };
  }
  const { status } = answer;
  if (status === 200) return undefined;
  if (status === 401 || status === 403)
    return { status: 'fail', detail: `it answers ${status} to ${new URL(url).pathname}`, hint: fix };
  return { status: 'warn', detail: `it answers ${status}`, hint: 'Consul asks it until it answers with 200' };
}

async function ask(
  host: HostReader,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<HttpResponse | undefined> {
  try {
    return await host.request(url, { headers, timeoutMs: 10_000 });
  } catch (error) {
    if (hasCode(error, 'unreachable')) return undefined;
    throw error;
  }
}

function jsonOf(answer: HttpResponse | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(answer?.body));
  } catch {
    return undefined;
  }
}
