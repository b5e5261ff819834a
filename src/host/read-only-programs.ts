/** Judges the arguments of a program. */
type Judge = (args: readonly string[]) => boolean;

/**
 * The programs that a query may run, and with which arguments they only read: those that are needed, and no more. Whoever
 * adds one has read in its manual that it writes nothing, caches and logs included.
 */
const readOnlyPrograms: Readonly<Record<string, Judge>> = {
  // Simulated, and yet it writes 72 MB of caches as root unless both of them are switched off.
  'apt-get': args =>
    args.includes('-s') &&
    args.includes('Dir::Cache::pkgcache=') &&
    args.includes('Dir::Cache::srcpkgcache=') &&
    args.some(arg => ['install', 'remove', 'purge', 'autoremove'].includes(arg)) &&
    !args.includes('update'),
  // Without a command it takes any, from its input.
  chronyc: args => args.join(' ') === '-n tracking',
  // To validate is to read a folder and to say what is wrong with it.
  consul: args => only('version')(args) || (args[0] === 'validate' && args.length === 2),
  // Answers no to every question of its own, and fetches nothing.
  dnf: args => args.includes('--cacheonly') && args.includes('--assumeno') && !args.includes('-y'),
  docker: only('--version'),
  dpkg: startsWith('--get-selections', '--audit'),
  'dpkg-query': startsWith('-W', '--show'),
  // Its questions begin with these words; what adds, removes, sets, reloads or saves does not.
  'firewall-cmd': args =>
    args.every(arg => /^--(?:permanent$|zone=|query-rich-rule=|get-zone-of-interface=|get-default-zone$)/.test(arg)),
  grep: startsWith('-q'),
  ip6tables: listsRaw,
  iptables: listsRaw,
  // Some of its options remove, rotate or move what was logged.
  journalctl: args => args.every(arg => /^--(unit|lines|output|since|identifier)=|^--no-pager$/.test(arg)),
  lslocks: () => true,
  nomad: args => only('version')(args) || (args.slice(0, 2).join(' ') === 'config validate' && args.length === 3),
  rpm: startsWith('-q', '--query'),
  sha256sum: () => true,
  // -K closes sockets, -D writes a file.
  ss: args => args.every(arg => /^-[HOaeilnptuwx46]+$/.test(arg)),
  systemctl: startsWith('show', 'is-active', 'is-enabled', 'is-system-running', 'list-units', 'list-unit-files', 'cat'),
  timedatectl: startsWith('show', 'status'),
};

/** Whether running `argv` changes nothing on the host. */
export function isReadOnly(argv: readonly string[]): boolean {
  const [program = '', ...args] = argv;
  const name = program.replace(/^\/usr\/s?bin\//, '');
  return Object.hasOwn(readOnlyPrograms, name) && readOnlyPrograms[name]?.(args) === true;
}

function listsRaw(args: readonly string[]): boolean {
  return args.join(' ') === '-w -t raw -S';
}

function only(...words: readonly string[]): Judge {
  return args => args.length === 1 && words.includes(args[0] ?? '');
}

function startsWith(...words: readonly string[]): Judge {
  return args => words.includes(args[0] ?? '');
}
