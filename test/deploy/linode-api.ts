import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Body = Record<string, unknown>;

/** A stand-in for Linode's API, as far as the provider asks it for what deploy/terraform makes. What it is asked else is 404. */
export interface LinodeApi {
  /** For LINODE_URL. */
  readonly url: string;
  /** Every request that changes something: `POST /linode/instances {...}`. */
  readonly changes: { readonly request: string; readonly body: Body }[];
  close(): void;
}

const created = '2026-01-01T00:00:00';

/** Starts one for an account without anything. Every region offers all, but xx-no-vlans no VLANs. */
export async function startLinodeApi(): Promise<LinodeApi> {
  const changes: { request: string; body: Body }[] = [];
  const things = new Map<string, Body>();
  let numbers = 100;

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = (request.url ?? '').replace(/^\/v4(?:beta)?/, '').replace(/\?.*$/, '');
      const text = Buffer.concat(chunks).toString();
      const answer = respond(request.method ?? '', path, text === '' ? {} : (JSON.parse(text) as Body));
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? { errors: [{ reason: `the stand-in does not know ${path}` }] }));
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    changes,
    close: () => server.close(),
  };

  function respond(method: string, path: string, body: Body): Body | undefined {
    if (method !== 'GET') changes.push({ request: `${method} ${path}`, body });
    const [, region] = /^\/regions\/([\w-]+)$/.exec(path) ?? [];
    if (region !== undefined) return regionNamed(region);
    if (method === 'GET' && ['/account/events', '/linode/types'].includes(path)) return page([]);
    if (method === 'POST') return make(path, body);
    if (method === 'DELETE') return things.delete(path) ? {} : undefined;
    if (method === 'PUT') {
      const thing = things.get(path);
      if (thing !== undefined) things.set(path, { ...thing, ...body });
    }
    return things.get(path);
  }

  function make(path: string, body: Body): Body | undefined {
    numbers += 1;
    const thing = { ...body, id: numbers, created, updated: created };
    const keep = (made: Body) => {
      things.set(`${path}/${numbers}`, made);
      return made;
    };
    switch (path) {
      case '/linode/instances':
        return makeInstance(numbers, body);
      case '/networking/firewalls': {
        const rules = { inbound: [], outbound: [], ...(body['rules'] as Body), version: 1, fingerprint: 'x' };
        things.set(`${path}/${numbers}/rules`, rules);
        things.set(`${path}/${numbers}/devices`, page([]));
        return keep({ ...thing, status: 'enabled', rules, tags: body['tags'] ?? [], entities: [] });
      }
      case '/vpcs':
        return keep({ ...thing, description: '', subnets: [] });
      case '/placement/groups':
        return keep({ ...thing, members: [], is_compliant: true });
      default:
        if (/^\/vpcs\/\d+\/subnets$/.test(path))
          return keep({ ...thing, linodes: [], databases: [], nodebalancers: [] });
        return undefined;
    }
  }

  function makeInstance(id: number, body: Body): Body {
    const address = `198.51.100.${id - 100}`;
    const interfaces = (body['interfaces'] ?? []) as Body[];
    const path = `/linode/instances/${id}`;
    const instance: Body = {
      id,
      label: body['label'],
      region: body['region'],
      type: body['type'],
      image: body['image'],
      tags: body['tags'] ?? [],
      group: '',
      status: 'running',
      created,
      updated: created,
      ipv4: [address],
      ipv6: '2001:db8::1/128',
      hypervisor: 'kvm',
      specs: { disk: 81_920, memory: 4096, vcpus: 2, transfer: 4000, gpus: 0 },
      alerts: { cpu: 180, network_in: 10, network_out: 10, transfer_quota: 80, io: 10_000 },
      backups: { enabled: false, available: false, schedule: { day: null, window: null }, last_successful: null },
      watchdog_enabled: true,
      host_uuid: 'x',
      has_user_data: body['metadata'] !== undefined,
      placement_group: placed(body['placement_group'] as Body | undefined),
      disk_encryption: 'enabled',
      interface_generation: 'legacy_config',
      capabilities: [],
      locks: [],
      lke_cluster_id: null,
      maintenance_policy: 'linode/migrate',
    };
    const ip = (ipAddress: string) => ({
      address: ipAddress,
      gateway: null,
      subnet_mask: '255.255.255.0',
      prefix: 24,
      type: 'ipv4',
      public: true,
      rdns: null,
      linode_id: id,
      region: body['region'],
    });
    things.set(path, instance);
    things.set(`${path}/ips`, {
      ipv4: { public: [ip(address)], private: [], shared: [], reserved: [], vpc: [] },
      ipv6: null,
    });
    things.set(
      `${path}/disks`,
      page([
        { id: 1, label: 'disk', size: 81_408, filesystem: 'ext4', status: 'ready', created, updated: created },
        {
          id: 2,
          label: '512 MB Swap Image',
          size: 512,
          filesystem: 'swap',
          status: 'ready',
          created,
          updated: created,
        },
      ]),
    );
    things.set(
      `${path}/configs`,
      page([
        {
          id: 1,
          label: 'My Debian Disk Profile',
          kernel: 'linode/grub2',
          comments: '',
          memory_limit: 0,
          root_device: '/dev/sda',
          run_level: 'default',
          virt_mode: 'paravirt',
          created,
          updated: created,
          helpers: {
            updatedb_disabled: true,
            distro: true,
            modules_dep: true,
            network: true,
            devtmpfs_automount: true,
          },
          devices: { sda: { disk_id: 1 }, sdb: { disk_id: 2 } },
          interfaces: interfaces.map((link, at) => ({
            id: at + 1,
            active: true,
            primary: false,
            ip_ranges: [],
            ...link,
          })),
        },
      ]),
    );
    return instance;
  }
}

function placed(group: Body | undefined): Body | null {
  if (group === undefined) return null;
  return { id: group['id'], label: 'x', placement_group_type: 'anti_affinity:local', placement_group_policy: 'strict' };
}

function page(data: readonly Body[]): Body {
  return { data, page: 1, pages: 1, results: data.length };
}

function regionNamed(id: string): Body {
  const capabilities = ['Linodes', 'Cloud Firewall', 'VPCs', 'Metadata', ...(id === 'xx-no-vlans' ? [] : ['Vlans'])];
  return {
    id,
    label: id,
    country: 'us',
    status: 'ok',
    site_type: 'core',
    capabilities,
    resolvers: { ipv4: '', ipv6: '' },
    placement_group_limits: { maximum_pgs_per_customer: 100, maximum_linodes_per_pg: 5 },
    monitors: { alerts: [], metrics: [] },
  };
}
