import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { distributionArchives } from '../archives.ts';
import { runCommand } from '../commands.ts';

/**
 * Downloads packages of any Debian suite into `into`, verified by apt with this machine's archive keyring, and gives
 * their file names. Uses an apt configuration of its own: this machine's package lists stay as they are.
 */
export async function downloadPackages(
  suite: string,
  names: readonly string[],
  into: string,
): Promise<readonly string[]> {
  const state = path.join(into, '.apt');
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(path.join(state, folder), { recursive: true });
  const archives = await distributionArchives();
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const sources = archives
    .forSuite(suite)
    .map(source => `deb [signed-by=${keyring}] ${source.uri} ${source.suite} main\n`);
  writeFileSync(path.join(state, 'sources.list'), sources.join(''));
  writeFileSync(path.join(state, 'status'), '');
  const settings = {
    'Dir::State::Lists': path.join(state, 'lists'),
    'Dir::State::status': path.join(state, 'status'),
    'Dir::Cache': path.join(state, 'cache'),
    'Dir::Etc::SourceList': path.join(state, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Acquire::Languages': 'none',
    'APT::Sandbox::User': 'root',
    'APT::Architecture': 'amd64',
    'APT::Architectures': 'amd64',
  };
  const apt = ['apt-get', '-q', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  await runCommand([...apt, 'update']);
  await runCommand([...apt, 'download', ...names], { cwd: into });
  await runCommand(['rm', '-rf', state]);
  return readdirSync(into).filter(name => name.endsWith('.deb'));
}
