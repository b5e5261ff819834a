import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const program = ['terraform', 'tofu'].find(name => spawnSync(name, ['version']).status === 0);

/** Why Terraform cannot be asked here; `undefined` when it can. */
export const whyNoTerraform: string | undefined =
  program === undefined ? 'neither terraform nor tofu is here' : undefined;

/** Runs Terraform or OpenTofu in a folder. No registry is reached: what is asked of it needs no provider. */
export function terraform(
  argv: readonly string[],
  cwd: string,
): { status: number | null; stdout: string; stderr: string } {
  // Neither a user's configuration nor variables of theirs.
  const env = { PATH: process.env['PATH'], HOME: cwd, CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' };
  const { status, stdout, stderr } = spawnSync(program ?? 'terraform', argv, { cwd, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** The user data that deploy/terraform renders for a node, from the arguments of its module in HCL. Throws what Terraform says. */
export function renderUserData(arguments_: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'terraform-'));
  try {
    const source = path.resolve('deploy/terraform/user-data');
    writeFileSync(
      path.join(folder, 'main.tf'),
      `module "node" {\n  source = "${source}"\n${arguments_}\n}\noutput "text" {\n  sensitive = true\n  value = module.node.text\n}\n`,
    );
    for (const argv of [
      ['init', '-no-color'],
      ['apply', '-no-color', '-auto-approve'],
    ]) {
      const { status, stderr } = terraform(argv, folder);
      if (status !== 0) throw new Error(stderr);
    }
    return terraform(['output', '-raw', 'text'], folder).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
