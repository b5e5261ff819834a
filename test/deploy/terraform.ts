import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

/** Where OpenTofu and the providers are looked for: executables of the names below. */
const tools = process.env['NOMAD_BOOTSTRAP_TERRAFORM'] ?? path.join(homedir(), '.cache/nomad-bootstrap/terraform');

const program = ['terraform', 'tofu', path.join(tools, 'tofu')].find(name => spawnSync(name, ['version']).status === 0);

/** Why Terraform cannot be asked here; `undefined` when it can. */
export const whyNoTerraform: string | undefined =
  program === undefined ? `neither terraform nor tofu is in the PATH, nor tofu in ${tools}` : undefined;

type Provider = 'linode' | 'external' | 'random';

/** Why what needs these providers cannot be asked here; `undefined` when it can. */
export function whyNoProviders(...names: readonly Provider[]): string | undefined {
  const missing = names.map(name => `terraform-provider-${name}`).filter(name => !isExecutable(path.join(tools, name)));
  return whyNoTerraform ?? (missing.length === 0 ? undefined : `${missing.join(' and ')} is not in ${tools}`);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Terraform or OpenTofu in a folder. No registry is reached: the providers are those of the tools folder, in whatever version. */
export function terraform(
  argv: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const configuration = path.join(tmpdir(), `terraform-${process.pid}.rc`);
  writeFileSync(
    configuration,
    `provider_installation {\n  dev_overrides {\n    "linode/linode" = "${tools}"\n    "hashicorp/external" = "${tools}"\n    "hashicorp/random" = "${tools}"\n  }\n}\n`,
  );
  // Neither a user's configuration nor variables of theirs.
  const env = {
    PATH: process.env['PATH'],
    HOME: cwd,
    CHECKPOINT_DISABLE: '1',
    TF_IN_AUTOMATION: '1',
    TF_CLI_CONFIG_FILE: configuration,
    ...environment,
  };
  return new Promise(resolve =>
    execFile(program ?? 'terraform', argv, { cwd, env, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ status, stdout, stderr });
    }),
  );
}

/** A folder with this configuration, whose modules are known; it is gone when `work` has ended. */
export async function inFolder<T>(configuration: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'terraform-'));
  try {
    writeFileSync(path.join(folder, 'main.tf'), configuration);
    await succeed(['get', '-no-color'], folder);
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** {@link terraform} where a failure is one of the test: throws what Terraform says. */
export async function succeed(
  argv: readonly string[],
  folder: string,
  environment?: Readonly<Record<string, string>>,
): Promise<string> {
  const { status, stdout, stderr } = await terraform(argv, folder, environment);
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** The user data that deploy/terraform renders for a node, from the arguments of its module in HCL. Throws what Terraform says. */
export function renderUserData(arguments_: string): Promise<string> {
  const source = path.resolve('deploy/terraform/user-data');
  const configuration = `module "node" {\n  source = "${source}"\n${arguments_}\n}\noutput "text" {\n  sensitive = true\n  value = module.node.text\n}\n`;
  return inFolder(configuration, async folder => {
    await succeed(['apply', '-no-color', '-auto-approve'], folder);
    return succeed(['output', '-raw', 'text'], folder);
  });
}
