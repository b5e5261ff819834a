import { fail, type HealthCheck, pass } from './health-check.ts';

export const osSupported: HealthCheck = {
  id: 'os-supported',
  title: 'The operating system is supported',
  scope: 'node',
  async run(_host, { facts, platform }) {
    const { prettyName } = facts.os;
    const hint = 'move the jobs away (nomad node drain -self -enable) and bring up a node with a supported system';
    if (facts.architecture === undefined) return fail(`${facts.machine} has no Nomad`, hint);
    const reason = platform.unsupportedReason(facts.os);
    return reason === undefined ? pass(`${prettyName}, ${facts.architecture}`) : fail(`${prettyName}: ${reason}`, hint);
  },
};
