import { converge, planAll } from '../core/converge.ts';
import { BootstrapError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import type { Journal } from '../core/journal.ts';
import type { Host, HostReader, Path, Resource, Step } from '../core/types.ts';
import { asThisNode } from '../own-agents.ts';
import { platforms } from '../platforms/index.ts';
import { consulDeparture, nomadDeparture } from '../resources/departure.ts';
import { drainSeconds } from '../resources/drain.ts';
import { wasThere } from '../resources/file.ts';
import { ruleGone } from '../resources/firewall.ts';
import { type PackageManager, packagesId } from '../resources/packages.ts';
import { withResidue } from '../resources/residue.ts';
import {
  existed,
  goingResidues,
  isGoing,
  isLeftToItsAgent,
  isWithin,
  type Made,
  type Undoing,
  undone,
  whatWasMade,
} from '../resources/undo.ts';
import { engineStopped, formerAgent, formerService, interfaceGone } from '../resources/undo-agent.ts';
import { formerData } from '../resources/undo-data.ts';
import { archiveGone, directoryAsItWas, directoryGone, fileAsItWas, ownFolderGone } from '../resources/undo-files.ts';
import { formerSysctl, moduleGone } from '../resources/undo-kernel.ts';
import { groupGone, holdReleased, keysGone, packagesGone, userGone } from '../resources/undo-packages.ts';
import { recordedCredentials } from './cluster-credentials.ts';
import type { CommandContext } from './command.ts';

/** Settings of the last run: they go last, so that whoever stops half-way can go back as well. */
const settingsFolder = '/etc/nomad-bootstrap';
const stateFolder = '/var/lib/nomad-bootstrap';

const engines: readonly { readonly unit: string; readonly packages: readonly string[] }[] = [
  { unit: 'docker.socket', packages: ['docker-ce', 'docker.io', 'moby-engine'] },
  { unit: 'docker.service', packages: ['docker-ce', 'docker.io', 'moby-engine'] },
  { unit: 'containerd.service', packages: ['containerd.io', 'containerd'] },
];

/** The order of an uninstallation. Reading this list is reading what it does. */
const steps: readonly Step<Undoing>[] = [
  { id: 'nomad', title: 'Nomad, out of its cluster and stopped', resources: undoing => agentOf('nomad', undoing) },
  { id: 'consul', title: 'Consul, out of its cluster and stopped', resources: undoing => agentOf('consul', undoing) },
  { id: 'services', title: 'Services, stopped or as they were', resources: servicesOf },
  {
    id: 'firewall',
    title: "The distribution's firewall, as it was",
    resources: ({ made }) => made.firewall.map(opened => ruleGone(opened, undone)),
  },
  { id: 'data', title: 'Data of the agents and of Docker', resources: dataOf },
  { id: 'packages', title: 'Packages, and what they leave behind', resources: packagesOf },
  {
    id: 'files',
    title: 'Files and folders, as they were',
    resources: undoing => filesOf(undoing, path => !isRecord(path) && !goesWithItsPackage(undoing, path)),
  },
  { id: 'kernel', title: 'Kernel settings, as they were', resources: kernelOf },
  {
    id: 'record',
    title: "nomad-bootstrap's own record",
    resources: undoing => [...filesOf(undoing, isRecord), ownFolderGone(stateFolder, 'snapshots', undoing)],
  },
];

/** `uninstall`: makes this host what it was before the first run, but for what others need by now and for data. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { journal, reporter, recorded, settings } = context;
  const startedAt = context.host.now().getTime();
  const entries = await journal.entries();
  if (entries.length === 0 && recorded !== undefined) {
    throw new BootstrapError('journal-missing', `${stateFolder}/journal is gone: what was made here cannot be told`, {
      hint: `put it back from a backup; or remove the packages nomad and consul, /opt/nomad, /opt/consul and ${settingsFolder} yourself`,
    });
  }
  const host = await withOwnCredentials(context);
  const remarks = new Set<string>();
  const target = await undoingOf(context, whatWasMade(entries), message => remarks.add(message));

  for (const agent of target.made.agents.keys()) {
    if (!target.made.packages.has(agent)) remarks.add(`${agent} stays, at its present version: it was here before`);
  }

  const changes = await planAll(steps, target, host);
  if (settings.dryRun === true) {
    reporter.report({ type: 'planned', changes, dryRun: true });
    return report('planned', changes.length, '');
  }
  // Announcing nothing at all leaves no log on a machine that never was bootstrapped.
  if (changes.length === 0) return report('converged', 0, 'there is nothing of nomad-bootstrap on this machine');
  // Before anything is touched: a server that must stay is left whole.
  for (const agent of ['nomad', 'consul'] as const) {
    if (changes.some(({ id }) => id === `agent:${agent}`)) await target.departures[agent].guard(host);
  }
  const { applied } = await converge({ ...context, host, steps, target, journal: transactionsOnly(journal) });
  return report('converged', applied.length, farewell);

  function report(outcome: 'converged' | 'planned', changes: number, message: string): ExitCode {
    for (const remark of remarks) reporter.report({ type: 'notice', level: 'warning', message: remark });
    reporter.report({ type: 'finished', outcome, changes, message, durationMs: host.now().getTime() - startedAt });
    return exitCodes.converged;
  }
}

/** Leaving a cluster with a token needs this node's credentials; where the token is gone, the node goes without taking leave. */
async function withOwnCredentials(context: CommandContext): Promise<Host> {
  const { host, recorded, token } = context;
  const node = recorded?.config.node;
  if (node === undefined || node.insecure || token.recorded === undefined) return host;
  return asThisNode(host, { config: { node }, credentials: await recordedCredentials(context) });
}

const farewell = [
  'what nomad-bootstrap made on this machine is gone',
  'firewall rules of Docker and Nomad go with the next boot; the log stays: /var/log/nomad-bootstrap.log',
].join('\n');

/** What is to be done, as far as it can be known before anything is done. */
async function undoingOf(
  { host, settings }: CommandContext,
  made: Made,
  remark: (message: string) => void,
): Promise<Undoing> {
  const { firstTransaction: first } = made;
  const manager = platforms.find(({ packages }) => packages.id === first?.manager)?.packages;
  const options = { force: settings.force === true, drainSeconds: settings.wait ?? drainSeconds, remark };
  const { packages, staying } = await packagesThatGo(host, made, remark, manager);
  return {
    made,
    manager,
    packages,
    staying,
    purgeData: settings.purgeData === true,
    departures: { nomad: nomadDeparture(options), consul: consulDeparture(options) },
    remark,
  };
}

async function packagesThatGo(
  host: HostReader,
  made: Made,
  remark: (message: string) => void,
  manager: PackageManager | undefined,
): Promise<Pick<Undoing, 'packages' | 'staying'>> {
  if (manager === undefined) return { packages: [], staying: new Set() };
  const brought = [...made.packages.keys()];
  const removal = await manager.removal(host, brought, made.firstTransaction?.before ?? []);
  for (const [name, by] of Object.entries(removal.needed)) remark(`${name} stays: ${by.join(' and ')} needs it`);
  const begun = await manager.present(host, [...made.removing]);
  const packages = new Set([...removal.packages, ...begun.filter(name => removal.needed[name] === undefined)]);
  const present = await manager.present(host, withResidue(brought));
  return { packages: [...packages], staying: new Set(present.filter(name => !packages.has(name))) };
}

function agentOf(name: 'nomad' | 'consul', undoing: Undoing): readonly Resource[] {
  return undoing.made.agents.has(name) || isGoing(undoing, name) ? [formerAgent(name, undoing)] : [];
}

function servicesOf(undoing: Undoing): readonly Resource[] {
  const stopped = engines.filter(({ packages }) => packages.some(name => isGoing(undoing, name)));
  const others = [...undoing.made.services].filter(([unit]) => !stopped.some(engine => engine.unit === unit));
  return [
    ...stopped.map(({ unit }) => engineStopped(unit)),
    ...others.map(([unit, former]) => formerService(unit, former)),
    ...goingResidues(undoing).flatMap(({ interfaces = [] }) => interfaces.map(interfaceGone)),
  ];
}

function dataOf(undoing: Undoing): readonly Resource[] {
  return goingResidues(undoing).flatMap(({ data = [], users = [] }) =>
    data.map(each => formerData(each, users, undoing)),
  );
}

function packagesOf(undoing: Undoing): readonly Resource[] {
  const { manager, made } = undoing;
  if (manager === undefined) return [];
  const free = [...made.holds].filter(name => !isGoing(undoing, name));
  const residues = goingResidues(undoing);
  return [
    ...(free.length > 0 ? [holdReleased(manager, free)] : []),
    ...filesOf(undoing, path => goesWithItsPackage(undoing, path)),
    packagesGone(manager, undoing),
    ...(manager.keyring === undefined ? [] : [keysGone(manager, manager.keyring, undoing)]),
    ...residues.flatMap(({ users = [] }) => users.filter(name => !existed(undoing, 'users', name)).map(userGone)),
    ...residues.flatMap(({ groups = [] }) => groups.filter(name => !existed(undoing, 'groups', name)).map(groupGone)),
  ];
}

/** Folders that were there before files that were in them; files before the folders that they leave empty. */
function filesOf(undoing: Undoing, isWanted: (path: Path) => boolean): readonly Resource[] {
  const { made, manager } = undoing;
  const disturbedBy = manager === undefined ? undefined : packagesId(manager);
  const byDepth = [...made.directories].sort((a, b) => b.split('/').length - a.split('/').length);
  return [
    ...[...made.attributes]
      .filter(([path]) => isWanted(path))
      .sort(([a], [b]) => a.length - b.length)
      .map(([path, attributes]) => directoryAsItWas(path, attributes, disturbedBy)),
    ...[...made.files.values()]
      .filter(file => isWanted(file.path) && !isLeftToItsAgent(undoing, file))
      .map(file => fileAsItWas(file, disturbedBy)),
    ...[...made.archives]
      .filter(([path]) => isWanted(path))
      .map(([path, record]) => archiveGone(path, record, undoing)),
    ...byDepth.filter(isWanted).map(path => directoryGone(path, undoing)),
  ];
}

function kernelOf(undoing: Undoing): readonly Resource[] {
  const { sysctls, modules } = undoing.made;
  return [
    // A setting that was not there comes and goes with its module.
    ...[...sysctls].flatMap(([key, value]) => (value === undefined ? [] : [formerSysctl(key, value, undoing)])),
    ...[...modules].map(name => moduleGone(name, undoing)),
  ];
}

function isRecord(path: Path): boolean {
  return isWithin(path, settingsFolder);
}

/** What was put into a folder of a package that goes: the package leaves its folder behind where something else is in it. */
function goesWithItsPackage(undoing: Undoing, path: Path): boolean {
  const { files, attributes } = undoing.made;
  const file = files.get(path);
  if (attributes.has(path) || (file !== undefined && wasThere(file))) return false;
  return goingResidues(undoing).some(({ configuration = [] }) =>
    configuration.some(folder => path !== folder && isWithin(path, folder)),
  );
}

/** A journal of what must be continued with the same packages; everything else is seen from the host itself. */
function transactionsOnly(journal: Journal): Journal {
  return {
    begin: async (id, undo) => (undo.kind === 'packages-removed' ? journal.begin(id, undo) : 0),
    // When the last change is done the journal is gone.
    done: async () => {},
    entries: journal.entries,
  };
}
