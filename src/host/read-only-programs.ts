/**
 * The programs that a query may run, and with which arguments they only read. `apt-get -s` and `apt-cache` write 72 MB
 * of caches as root unless both of their caches are switched off.
 */
const readOnlyPrograms: Readonly<Record<string, (args: readonly string[]) => boolean>> = {
  'apt-cache': withoutAptCaches,
  'apt-get': args => withoutAptCaches(args) && args.includes('-s'),
  chronyc: startsWith('tracking', '-c tracking'),
  consul: startsWith('version', 'validate'),
  dnf: args => args.includes('--cacheonly') && (args.includes('--assumeno') || args.includes('repoquery')),
  docker: startsWith('--version', 'version', 'info', 'image ls', 'image inspect'),
  dpkg: startsWith('--get-selections', '--audit', '--print-architecture', '--compare-versions'),
  'dpkg-query': () => true,
  getenforce: () => true,
  journalctl: args => !args.some(arg => arg.startsWith('--vacuum') || arg === '--rotate' || arg === '--flush'),
  lslocks: () => true,
  nomad: startsWith('version', 'config validate'),
  rpm: startsWith('-q', '--query', '--eval'),
  sha256sum: () => true,
  ss: args => !args.includes('-K') && !args.includes('--kill'),
  sysctl: args => args.includes('-n') && !args.some(arg => arg.includes('=')),
  systemctl: startsWith('show', 'is-active', 'is-enabled', 'is-system-running', 'list-units', 'list-unit-files', 'cat'),
  timedatectl: startsWith('show', 'status'),
  ufw: startsWith('status'),
  uname: () => true,
};

/** Whether running `argv` changes nothing on the host. */
export function isReadOnly(argv: readonly string[]): boolean {
  const [program = '', ...args] = argv;
  return readOnlyPrograms[program.replace(/^\/usr\/s?bin\//, '')]?.(args) ?? false;
}

function startsWith(...beginnings: readonly string[]): (args: readonly string[]) => boolean {
  return args => beginnings.some(beginning => `${args.join(' ')} `.startsWith(`${beginning} `));
}

function withoutAptCaches(args: readonly string[]): boolean {
  return args.includes('Dir::Cache::pkgcache=') && args.includes('Dir::Cache::srcpkgcache=');
}
