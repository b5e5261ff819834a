import { fail, type HealthCheck, onClients, pass, warn } from './health-check.ts';

/**
 * What Nomad asks for. One of them missing, and it does without cgroups altogether: no limits, no exec driver.
 * Source: client/lib/cgroupslib/mount.go, Nomad 2.0.5.
 */
const wanted = ['cpuset', 'cpu', 'io', 'memory', 'pids'];

export const cgroups: HealthCheck = {
  id: 'cgroups',
  title: 'Jobs can be held to their CPU and memory',
  scope: 'node',
  appliesTo: onClients,
  async run(_host, { facts }) {
    const { version, controllers } = facts.cgroups;
    if (version === 'none') {
      return fail('no cgroups are mounted', 'boot a kernel with cgroup v2; see mount -t cgroup2');
    }
    if (version === 1) {
      return warn(
        'cgroup v1, which systemd and Nomad are leaving behind',
        'boot with the kernel parameter systemd.unified_cgroup_hierarchy=1 (GRUB_CMDLINE_LINUX)',
      );
    }
    const missing = wanted.filter(controller => !controllers.includes(controller));
    if (missing.length === 0) return pass(`cgroup v2 with ${wanted.join(', ')}`);
    return warn(
      `cgroup v2 lacks ${missing.join(', ')}: Nomad sets no limits and offers no exec driver`,
      'see what keeps them: cat /sys/fs/cgroup/cgroup.controllers /proc/cgroups; a v1 mount or cgroup_disable= on the kernel command line does',
    );
  },
};
