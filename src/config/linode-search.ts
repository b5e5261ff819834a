import { BootstrapError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';
import { isLinodePrivate } from '../facts/addresses.ts';
import type { ClusterNetwork } from './config.ts';

/** Which addresses of the found Linodes are joined. Not every Consul knows `vpc_v4`: checks/preflight/vpc-search.ts. */
export type AddressType = 'private_v4' | 'public_v4' | 'vpc_v4';

/** A search among the account's Linodes by Linode's API, which Consul makes (go-discover, provider linode). */
export interface LinodeSearch {
  readonly tag: string;
  readonly region?: string;
  readonly addressType: AddressType;
}

const prefix = 'linode:';

/** What a search looks like in `--join`: what {@link parseSearch} reads, without the type that the network decides. */
export const searchPattern =
  /^linode:tag=(?<tag>[A-Za-z0-9._:/-]{1,50})(?:,region=(?<region>[a-z0-9-]{1,32}))?(?:,address-type=(?<type>private_v4|public_v4|vpc_v4))?$/;

/** `linode:tag=T,region=R`, whose commas are also those of a list, put together again. */
export function joinSearches(items: readonly string[]): string[] {
  const whole: string[] = [];
  for (const item of items) {
    const last = whole.at(-1);
    if (last?.startsWith(prefix) && /^(?:tag|region|address-type)=/.test(item))
      whole[whole.length - 1] = `${last},${item}`;
    else whole.push(item);
  }
  return whole;
}

/**
 * The search that a text of {@link searchPattern} asks for; `undefined` for any other text. The type of the addresses follows from the
 * network that this node clusters on. Throws `bad-setting` where Linode's API knows no addresses of that network, or another type is
 * asked for: the agents listen on that network alone, so that nobody would be found.
 */
export function parseSearch(text: string, network: ClusterNetwork): LinodeSearch | undefined {
  const { tag, region, type } = searchPattern.exec(text)?.groups ?? {};
  if (tag === undefined) return undefined;
  const addressType = typeOf(network);
  if (addressType === undefined) {
    throw new BootstrapError(
      'bad-setting',
      `--join ${text}: ${network.address} is on a VLAN, and Linode's API knows no addresses there`,
      {
        hint: 'say --join vlan, which finds the others on the VLAN itself; or name their addresses. Nothing was touched.',
      },
    );
  }
  if (type !== undefined && type !== addressType) {
    throw new BootstrapError(
      'bad-setting',
      `--join ${text}: this node clusters on ${network.address}, which is ${addressType}`,
      {
        hint: `leave address-type away, or name the network that is meant with --network. Nothing was touched.`,
      },
    );
  }
  return { tag, addressType, ...(region === undefined ? {} : { region }) };
}

function typeOf({ kind, address }: ClusterNetwork): AddressType | undefined {
  if (kind === 'vlan') return undefined;
  if (kind === 'public') return 'public_v4';
  return isLinodePrivate(address) ? 'private_v4' : 'vpc_v4';
}

/** The text for `--join` again. */
export function searchText({ tag, region, addressType }: LinodeSearch): string {
  return `${prefix}tag=${tag}${region === undefined ? '' : `,region=${region}`},address-type=${addressType}`;
}

/** The same for Consul's retry_join. The API's token is not in it: Consul takes it from its environment. */
export function goDiscoverText({ tag, region, addressType }: LinodeSearch): string {
  return `provider=linode tag_name=${tag}${region === undefined ? '' : ` region=${region}`} address_type=${addressType}`;
}

/** What Consul's unit gives Consul as its environment, and the only place where the token of Linode's API is kept. */
export const consulEnvironmentPath = '/etc/consul.d/consul.env';

/** The variable in which Consul looks for that token (go-discover, provider linode). */
const variable = 'LINODE_TOKEN';
const line = new RegExp(`^\\s*(?:export\\s+)?${variable}\\s*=\\s*"?([^"\\s]*)"?\\s*$`);

/** The token of Linode's API that an environment holds. */
export function apiTokenIn(environment: string): Secret | undefined {
  const [, token = ''] = environment.split('\n').flatMap(text => line.exec(text) ?? []);
  return token === '' ? undefined : new Secret(token);
}

/** An environment with this token in place of any other, or with none. What else it holds stays. */
export function withApiToken(environment: string, token: string | undefined): string {
  const others = environment.split('\n').filter(text => !line.test(text));
  while (others.at(-1) === '') others.pop();
  return [...others, ...(token === undefined ? [] : [`${variable}=${token}`]), ''].join('\n');
}
