import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type LabNode, waitFor } from '../lab/lab.ts';

/** What Linode's runner gives a StackScript besides its fields: nearly nothing. Source: the wrapper that its images had. */
const runnerEnvironment = {
  HOME: '/root',
  TERM: 'linux',
  PATH: '/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin',
  LINODE_LISHUSERNAME: 'linode1',
  LINODE_RAM: '4096',
};

/**
 * Lets a node that is not booted yet run this StackScript at its first boot, with these fields: a systemd service stands in for
 * Linode's runner, a file for the Lish console.
 */
export function giveStackScript(
  node: LabNode,
  file: string,
  fields: Readonly<Record<string, string>>,
  delay = 0,
): void {
  copyFileSync(file, path.join(node.root, 'root/StackScript'));
  const words = Object.entries({ ...runnerEnvironment, LINODE_ID: String(node.number), ...fields }).map(
    ([name, value]) => `'${name}=${value}'`,
  );
  atFirstBoot(node, `env -i ${words.join(' ')} bash /root/StackScript`, delay);
}

/**
 * Lets a node that is not booted yet run the script that its metadata service has as user data: a systemd service stands in
 * for cloud-init, which runs a script as it is.
 */
export function runUserData(node: LabNode, delay = 0): void {
  const script = `token=$(curl -sf -X PUT -H 'Metadata-Token-Expiry-Seconds: 60' http://169.254.169.254/v1/token)
curl -sf -H "Metadata-Token: $token" http://169.254.169.254/v1/user-data | base64 -d >/root/user-data
chmod 0700 /root/user-data
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /root/user-data >/var/log/cloud-init-output.log 2>&1
`;
  writeFileSync(path.join(node.root, 'root/cloud-init'), script);
  atFirstBoot(node, '/bin/sh -e /root/cloud-init', delay);
}

function atFirstBoot(node: LabNode, command: string, delay: number): void {
  // A node's hardware becomes a Linode's only a moment after its boot; a real one's is so from the start.
  const script = `set -e
touch /dev/ttyS0
until grep -qs Akamai /sys/class/dmi/id/sys_vendor; do sleep 0.1; done
sleep ${delay}
exec ${command}
`;
  const unit = `[Unit]
After=network-online.target
Wants=network-online.target

[Service]
ExecStartPre=/bin/mv /root/first-boot /root/first-boot.begun
ExecStart=/bin/sh /root/first-boot.begun
RemainAfterExit=yes
`;
  writeFileSync(path.join(node.root, 'root/first-boot'), script);
  const units = path.join(node.root, 'etc/systemd/system');
  mkdirSync(path.join(units, 'multi-user.target.wants'), { recursive: true });
  writeFileSync(path.join(units, 'first-boot.service'), unit);
  symlinkSync('/etc/systemd/system/first-boot.service', path.join(units, 'multi-user.target.wants/first-boot.service'));
}

/** Waits until a node's first boot has done what it was given to do. The exit status of that. */
export function firstBootStatus(node: LabNode, timeoutMs = 400_000): Promise<number> {
  return waitFor(
    `${node.name}'s first boot to end`,
    async () => {
      const show = ['systemctl', 'show', 'first-boot.service', '-p', 'SubState,ExecMainStatus'];
      const { stdout } = await node.exec(show, { check: false });
      const { SubState, ExecMainStatus } = Object.fromEntries(
        stdout
          .trim()
          .split('\n')
          .map(line => line.split('=')),
      );
      return SubState === 'exited' || SubState === 'failed' ? Number(ExecMainStatus) : undefined;
    },
    { timeoutMs, everyMs: 1000 },
  );
}
