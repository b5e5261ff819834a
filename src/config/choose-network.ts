import { BootstrapError } from '../core/errors.ts';
import { inCidr, networkOf, parseCidr } from '../facts/addresses.ts';
import { overlayAddresses } from '../facts/candidates.ts';
import type { CandidateAddress, Facts } from '../facts/facts.ts';
import type { ClusterNetwork } from './config.ts';

/** Networks that only the owner's machines are on, before one that a whole data centre shares. */
const automatic = ['vlan', 'vpc', 'private'] as const;

/**
 * The one address that the wish leaves, as `--network` gives it: `auto`, a kind, an interface, a CIDR or an address.
 * Throws `network-undecided` where none or several are left: a guess could publish the cluster or split it.
 */
export function chooseNetwork(wish: string, { candidates, addresses }: Facts): ClusterNetwork {
  if (wish !== 'auto') {
    // A tunnel is never guessed, but may be named.
    const all = [...candidates, ...overlayAddresses(addresses).filter(({ kind }) => kind !== wish)];
    return only(
      all.filter(candidate => matches(wish, candidate)),
      `--network ${wish} fits`,
      all,
    );
  }
  for (const kind of automatic) {
    const chosen = candidates.filter(candidate => candidate.kind === kind);
    if (chosen.length > 0) return only(chosen, `this machine has`, candidates);
  }
  if (candidates.length > 0) {
    throw undecided(
      'this machine has only a public address to cluster on',
      candidates,
      'attach a VLAN or a VPC; or say --network public, which opens the cluster to strangers',
    );
  }
  throw undecided(
    'this machine has no IPv4 address to cluster on',
    candidates,
    `bring up its network (ip address shows ${addresses.length} addresses), then run the same command again`,
  );
}

function matches(wish: string, candidate: CandidateAddress): boolean {
  if (wish === candidate.kind || wish === candidate.interface || wish === candidate.address) return true;
  return parseCidr(wish) !== undefined && inCidr(candidate.address, wish);
}

function only(chosen: readonly CandidateAddress[], subject: string, all: readonly CandidateAddress[]): ClusterNetwork {
  const [first] = chosen;
  if (first === undefined) throw undecided(`${subject} no address of this machine`, all, 'name one of them');
  if (chosen.length > 1)
    throw undecided(
      `${subject} ${chosen.length} addresses to cluster on`,
      all,
      'name one with --network, by its address or its interface',
    );
  const { address, interface: name, kind, prefixLength } = first;
  return { address, interface: name, kind, cidr: networkOf(address, prefixLength) };
}

function undecided(message: string, candidates: readonly CandidateAddress[], hint: string): BootstrapError {
  return new BootstrapError('network-undecided', message, {
    detail:
      candidates.map(({ interface: name, address, kind }) => `${name}  ${address}  ${kind}`).join('\n') || undefined,
    hint,
  });
}
