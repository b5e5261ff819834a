import { readAsset } from '../assets.ts';
import type { Resource, Step } from '../core/types.ts';
import { directory } from '../resources/directory.ts';
import { file } from '../resources/file.ts';
import { service } from '../resources/service.ts';
import { unitFile } from '../resources/unit-file.ts';
import type { Target } from '../target.ts';

/** What the units of systemd/ start. */
export const installedProgram = '/usr/local/bin/nomad-bootstrap';

/**
 * Where node_exporter of Debian and Ubuntu looks for metrics of others; elsewhere it is told to.
 * Source: /etc/default/prometheus-node-exporter of those packages.
 */
const collectorDirectory = '/var/lib/prometheus/node-exporter';

/** What the timer's last run found, in Prometheus' text format. */
export const metricsPath = `${collectorDirectory}/nomad-bootstrap.prom`;

const readable = { mode: 0o644, owner: 'root:root' };
const enterable = { mode: 0o755, owner: 'root:root' };

/** `verify` every five minutes. */
export const verifyTimer: Step<Target> = {
  id: 'verify-timer',
  title: 'A timer that checks this node',
  resources: () => [
    // node_exporter's package may have made them, and then owns them.
    unlessThere('/var/lib/prometheus', path => directory(path, enterable)),
    unlessThere(collectorDirectory, path => directory(path, enterable)),
    // Empty until the first run; here, so that it goes away with the rest.
    unlessThere(metricsPath, path => file(path, '', readable)),
    unitFile('nomad-bootstrap-verify.service', readAsset('systemd/nomad-bootstrap-verify.service')),
    unitFile('nomad-bootstrap-verify.timer', readAsset('systemd/nomad-bootstrap-verify.timer')),
    service('nomad-bootstrap-verify.timer'),
  ],
};

function unlessThere(path: string, make: (path: string) => Resource): Resource {
  const resource = make(path);
  return {
    id: resource.id,
    async plan(host, before) {
      return (await host.stat(path)) === undefined ? resource.plan(host, before) : undefined;
    },
  };
}
