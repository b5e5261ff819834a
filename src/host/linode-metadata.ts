import { hasCode } from '../core/errors.ts';
import type { HttpResponse, LinodeMetadata, MutatingRequestOptions, RequestOptions } from '../core/types.ts';

/** Asks over HTTP: what {@link readLinodeMetadata} needs of a host. */
export type Request = (url: string, options?: RequestOptions | MutatingRequestOptions) => Promise<HttpResponse>;

/** Source: https://techdocs.akamai.com/cloud-computing/docs/metadata-service-api; the same two as cloud-init asks. */
const services = ['http://169.254.169.254', 'http://[fd00:a9fe:a9fe::1]'];

const purposes = ['public', 'vlan', 'vpc'] as const;

/**
 * Asks Linode's metadata service once, over IPv4 and then over IPv6: a token, then what it says of this instance and its
 * network. `undefined` when neither answers in time with documents that make sense. The token is good for five minutes and
 * kept nowhere.
 */
export async function readLinodeMetadata(request: Request, timeoutMs: number): Promise<LinodeMetadata | undefined> {
  for (const service of services) {
    try {
      const metadata = await askService(request, service, timeoutMs / services.length);
      if (metadata !== undefined) return metadata;
    } catch (error) {
      if (!hasCode(error, 'unreachable')) throw error;
    }
  }
  return undefined;
}

async function askService(request: Request, service: string, timeoutMs: number): Promise<LinodeMetadata | undefined> {
  const endsAt = performance.now() + timeoutMs;
  const remaining = () => Math.max(1, Math.round(endsAt - performance.now()));

  const tokenAnswer = await request(`${service}/v1/token`, {
    method: 'PUT',
    headers: { 'Metadata-Token-Expiry-Seconds': '300', Accept: 'application/json' },
    timeoutMs: remaining(),
  });
  const token = tokenAnswer.status === 200 ? parseToken(text(tokenAnswer)) : undefined;
  if (token === undefined) return undefined;

  const options = { headers: { 'Metadata-Token': token, Accept: 'application/json' }, timeoutMs: remaining() };
  const [instance, network] = await Promise.all([
    request(`${service}/v1/instance`, options),
    request(`${service}/v1/network`, options),
  ]);
  if (instance.status !== 200 || network.status !== 200) return undefined;
  return parseLinodeMetadata(text(instance), text(network));
}

/** The token of an answer: an array of one string where JSON was understood, else the bare text. */
export function parseToken(body: string): string | undefined {
  const parsed = parseJson(body);
  const token = Array.isArray(parsed) ? parsed[0] : body.trim();
  // It goes into a header; a portal's HTML page does not.
  return typeof token === 'string' && /^[\w.~+/=-]{8,4096}$/.test(token) ? token : undefined;
}

/**
 * Takes the documents of /v1/instance and /v1/network. An interface is taken in the shape of configuration profiles
 * (`purpose`, `label`, `ipam_address`) and in that of Linode Interfaces (`vlan: { vlan_label, ipam_address }`); addresses with
 * and without a prefix length. `undefined` when either is not such a document: a service that answers something else
 * is not believed in part.
 */
export function parseLinodeMetadata(instanceJson: string, networkJson: string): LinodeMetadata | undefined {
  const instance = parseJson(instanceJson);
  const network = parseJson(networkJson);
  if (!isRecord(instance) || !isRecord(network)) return undefined;

  const { id, label, region, type } = instance;
  const interfaces = list(network['interfaces'])?.map(parseInterface);
  const ipv4 = network['ipv4'] ?? {};
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id <= 0) return undefined;
  if (!isWord(label) || !isWord(region) || !isRecord(ipv4)) return undefined;
  if (interfaces === undefined || !interfaces.every(entry => entry !== undefined)) return undefined;
  const tags = strings(instance['tags']);
  const publicIpv4 = strings(ipv4['public']);
  const privateIpv4 = strings(ipv4['private']);
  if (tags === undefined || publicIpv4 === undefined || privateIpv4 === undefined) return undefined;

  return {
    id,
    label,
    region,
    type: typeof type === 'string' ? type : '',
    tags,
    interfaces,
    publicIpv4: publicIpv4.map(withoutPrefix),
    privateIpv4: privateIpv4.map(withoutPrefix),
  };
}

function parseInterface(value: unknown): LinodeMetadata['interfaces'][number] | undefined {
  if (!isRecord(value)) return undefined;
  // A kind that is not known yet counts as public: nothing is then trusted to be a network of its own.
  const purpose = purposes.find(known => value['purpose'] === known || isRecord(value[known])) ?? 'public';
  const nested = value[purpose];
  const details = isRecord(nested) ? nested : value;
  const label = details['vlan_label'] ?? details['label'];
  const ipamAddress = details['ipam_address'];
  return {
    purpose,
    ...(typeof label === 'string' && label !== '' ? { label } : {}),
    ...(typeof ipamAddress === 'string' && /^[\d.]+\/\d+$/.test(ipamAddress) ? { ipamAddress } : {}),
  };
}

function text(response: HttpResponse): string {
  return new TextDecoder().decode(response.body);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Linode's labels and regions have neither blanks nor control characters. */
function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value);
}

/** Nothing is an empty list; anything else must be one. */
function list(value: unknown): readonly unknown[] | undefined {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : undefined;
}

function strings(value: unknown): readonly string[] | undefined {
  const values = list(value);
  return values?.every(entry => typeof entry === 'string') === true ? values : undefined;
}

function withoutPrefix(address: string): string {
  return address.replace(/\/\d+$/, '');
}
