import type { ExecOptions, LabNode } from '../lab.ts';
import type { Attack } from './attack.ts';
import { asOperator, imageWithCurl, runJob, say, type World } from './world.ts';

/** A batch job of one task called `t`. */
interface Task {
  readonly driver: 'exec' | 'raw_exec' | 'docker';
  readonly script: string;
  readonly user?: string;
  /** The client to run on. Default: the one with the exec driver, or any. */
  readonly on?: string;
  /** More of the driver's configuration, of the task, of the group. */
  readonly config?: string;
  readonly task?: string;
  readonly group?: string;
}

let count = 0;

export function jobOf({ driver, script, user, on, config = '', task = '', group = '' }: Task): string {
  count += 1;
  const image = driver === 'docker' ? `image = "${imageWithCurl}"` : '';
  return `job "attack-${count}" {
  type        = "batch"
  datacenters = ["*"]
  ${on === undefined ? '' : `constraint {\n attribute = "\${node.unique.name}"\n value = "${on}"\n}`}
  group "g" {
    reschedule {
      attempts  = 0
      unlimited = false
    }
    restart {
      attempts = 0
      mode     = "fail"
    }
    ${group}
    task "t" {
      driver = "${driver}"
      ${user === undefined ? '' : `user = "${user}"`}
      config {
        ${image}
        command = "/usr/bin/sh"
        args    = ["-c", ${JSON.stringify(driver === 'docker' ? `${script}; sleep 1` : script)}]
        ${config}
      }
      ${task}
      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
`;
}

type After = (place: { node: LabNode; options: ExecOptions; host: LabNode }) => (allocation: string) => Promise<string>;

/** One that no Nomad lets through, or that a lab's node does not: there is nowhere for a control. */
function alone({ control, ...attack }: Attack): Attack {
  return attack;
}

/** A job on the secured cluster, with the same on the careless one as its control. */
function job(what: string, task: Task, refusal: RegExp, gain: RegExp, after?: After): Attack {
  const run = (node: LabNode, options: ExecOptions, host: LabNode) =>
    runJob(node, options, jobOf(task), after?.({ node, options, host }));
  return {
    position: 'job',
    what,
    attempt: w => run(w.server, asOperator(w), w.client),
    refusal,
    gain,
    control: { how: 'a careless cluster', attempt: ({ intruder }) => run(intruder, {}, intruder) },
  };
}

const missing = /No such file|can't open|cannot open|nonexistent|not found|Permission denied|can't create/i;
const metadata = 'http://169.254.169.254/v1/token';
/** The metadata service's token, without which it tells nothing. */
export const askForToken = `curl -sS -i -m 3 -X PUT -H 'Metadata-Token-Expiry-Seconds: 60' ${metadata} 2>&1`;
const metadataAnswer = /^HTTP\/1\.\d 200/;
const noMetadata = /timed out|timeout/i;

/** The metadata service from a job; root on the host is the control. */
function askMetadata(what: string, task: Omit<Task, 'script'>): Attack {
  return {
    position: 'job',
    what,
    attempt: w => runJob(w.server, asOperator(w), jobOf({ ...task, script: `${askForToken} || true` })),
    refusal: noMetadata,
    gain: metadataAnswer,
    control: { how: 'root on the host', attempt: w => say(w.client, ['sh', '-c', askForToken]) },
  };
}

const readAll = (file: string) => `cat ${file} && echo "$(id -un 2>/dev/null) has read it"`;

export const asAJob: readonly Attack[] = [
  job(
    'read /etc/nomad.d/nomad.hcl in an exec task',
    { driver: 'exec', script: 'ls /etc/nomad.d/ && cat /etc/nomad.d/nomad.hcl || cat /etc/nomad.d/nomad.env' },
    missing,
    /data_dir|SECRET/,
  ),
  job('list /etc/consul.d in an exec task', { driver: 'exec', script: 'ls /etc/consul.d/' }, missing, /consul\.hcl/),
  job(
    'read the recorded token in an exec task',
    { driver: 'exec', script: readAll('/etc/nomad-bootstrap/token') },
    missing,
    /has read it/,
  ),
  job(
    'read a private key below /etc/nomad.d in an exec task',
    { driver: 'exec', script: 'ls -R /etc/nomad.d && echo "listed it"' },
    missing,
    /listed it/,
  ),
  job(
    'read the configuration as the user nomad',
    { driver: 'exec', user: 'nomad', script: readAll('/etc/nomad.d/nomad.hcl') },
    /running as user is not permitted|denied|disallowed|not allowed|forbidden/i,
    /has read it/,
  ),
  job(
    'write the configuration as the user nomad',
    { driver: 'exec', user: 'nomad', script: 'echo "# by a task" >>/etc/nomad.d/nomad.hcl && echo written' },
    /not permitted|denied|disallowed|not allowed|forbidden/i,
    /written/,
  ),
  job(
    "read Consul's configuration as the user consul",
    { driver: 'exec', user: 'consul', script: readAll('/etc/consul.d/consul.hcl') },
    /not permitted|denied|disallowed|not allowed|forbidden/i,
    /has read it/,
  ),
  job(
    "write Consul's configuration as the user consul",
    { driver: 'exec', user: 'consul', script: 'echo "# by a task" >>/etc/consul.d/consul.hcl && echo written' },
    /not permitted|denied|disallowed|not allowed|forbidden/i,
    /written/,
  ),
  alone(
    job(
      'run an exec task as root',
      { driver: 'exec', user: 'root', script: 'id' },
      /not permitted|denied|disallowed|not allowed|forbidden/i,
      /uid=0/,
    ),
  ),
  alone(
    job(
      'run an exec task as the number of root',
      { driver: 'exec', user: '0', script: 'id' },
      /not permitted|denied|disallowed|not allowed|forbidden|unknown user/i,
      /uid=0/,
    ),
  ),
  job(
    'read the configuration by `alloc fs`',
    { driver: 'exec', script: 'true' },
    /no such file|not found|404|500/i,
    /data_dir|SECRET/,
    ({ node, options }) =>
      allocation =>
        say(node, ['nomad', 'alloc', 'fs', allocation, 't/etc/nomad.d/nomad.hcl'], options),
  ),
  alone(
    job(
      "read the host's disk by `alloc fs` and dots",
      { driver: 'exec', script: 'true' },
      /escapes|no such file|not found|404|500|403/i,
      /root:.*:0:0|root:\*|root:!/,
      ({ node, options }) =>
        allocation =>
          say(node, ['nomad', 'alloc', 'fs', allocation, '../../../../../../etc/shadow'], options),
    ),
  ),
  alone(
    job(
      'read the configuration by `alloc fs` through a link that the task made',
      {
        driver: 'exec',
        script:
          'ln -s /etc/nomad.d/nomad.env $NOMAD_ALLOC_DIR/data/link; ln -s /etc/nomad.d/nomad.env local/link; true',
      },
      /escapes|no such file|not found|404|500|403/i,
      /SECRET_OF|data_dir/,
      ({ node, options }) =>
        async allocation =>
          `${await say(node, ['nomad', 'alloc', 'fs', allocation, 'alloc/data/link'], options)} ${await say(node, ['nomad', 'alloc', 'fs', allocation, 't/local/link'], options)}`,
    ),
  ),
  alone(
    job(
      'have the agent read a file of the host for a task (template of a source)',
      {
        driver: 'exec',
        script: 'cat local/stolen',
        task: 'template {\n source = "/etc/nomad.d/nomad.env"\n destination = "local/stolen"\n}',
      },
      /escapes|no such file|failed|sandbox/i,
      /SECRET_OF/,
    ),
  ),
  alone(
    job(
      "have the agent read a file of the host for a task (template's function file)",
      {
        driver: 'exec',
        script: 'cat local/stolen',
        task: 'template {\n data = "{{ file \\"/etc/nomad.d/nomad.env\\" }}"\n destination = "local/stolen"\n}',
      },
      /escapes|no such file|failed|sandbox|missing/i,
      /SECRET_OF/,
    ),
  ),
  alone(
    job(
      'have the agent fetch a file of the host for a task (artifact)',
      {
        driver: 'exec',
        script: 'cat local/nomad.env',
        task: 'artifact {\n source = "file:///etc/nomad.d/nomad.env"\n}',
      },
      /failed|not supported|disabled|no such/i,
      /SECRET_OF/,
    ),
  ),
  job(
    "find the agent's secrets in the task's environment",
    { driver: 'exec', script: 'env' },
    /NOMAD_ALLOC_ID/,
    /SECRET_OF_THE_AGENT|_TOKEN=/,
  ),
  job(
    "read the agent's environment out of /proc",
    {
      driver: 'exec',
      config: 'pid_mode = "host"',
      script:
        'for pid in /proc/[0-9]*; do tr "\\0" "\\n" <$pid/environ; done 2>&1 | grep -E "SECRET|TOKEN|ermission" | sort | uniq -c',
    },
    /ermission denied/i,
    /SECRET_OF_THE_AGENT/,
  ),
  job('run a raw_exec task', { driver: 'raw_exec', script: 'id' }, /Placement Failure|missing drivers/i, /uid=0/),
  job(
    'run a privileged container',
    { driver: 'docker', config: 'privileged = true', script: 'grep CapEff /proc/self/status && echo ran' },
    /privileged/i,
    /ran/,
  ),
  job(
    "mount the host's /etc into a container",
    { driver: 'docker', config: 'volumes = ["/etc/nomad.d:/stolen"]', script: 'cat /stolen/nomad.env' },
    /volumes are not enabled|not enabled/i,
    /SECRET_OF/,
  ),
  job(
    "mount the host's /etc into a container by `mount`",
    {
      driver: 'docker',
      config: 'mount {\n type = "bind"\n source = "/etc/nomad.d"\n target = "/stolen"\n}',
      script: 'cat /stolen/nomad.env',
    },
    /volumes are not enabled|not enabled/i,
    /SECRET_OF/,
  ),
  job(
    "mount Docker's socket into a container",
    {
      driver: 'docker',
      config: 'volumes = ["/var/run/docker.sock:/docker.sock"]',
      script: 'ls -l /docker.sock && echo there',
    },
    /volumes are not enabled|not enabled/i,
    /there/,
  ),
  job(
    'add a capability to a container that breaks out of it',
    {
      driver: 'docker',
      config: 'cap_add = ["sys_admin", "sys_ptrace"]',
      script: 'grep CapEff /proc/self/status && echo ran',
    },
    /capabilities|not allowed|missing/i,
    /ran/,
  ),
  alone(
    job(
      'look into the agents from a container among the processes of the host',
      {
        driver: 'docker',
        config: 'pid_mode = "host"',
        script:
          'for pid in /proc/[0-9]*; do cat $pid/environ $pid/root/etc/nomad.d/nomad.env; done 2>&1 | tr "\\0" "\\n" | grep -E "SECRET|TOKEN|ermission" | sed "s/.*ermission.*/Permission denied/" | sort | uniq -c',
      },
      /cannot apply .pid_mode/,
      /SECRET_OF/,
    ),
  ),
  askMetadata('ask the metadata service from an exec task', { driver: 'exec' }),
  askMetadata('ask the metadata service from a container', { driver: 'docker' }),
  askMetadata("ask the metadata service from a container on Nomad's bridge", {
    driver: 'docker',
    group: 'network {\n mode = "bridge"\n}',
  }),
  {
    position: 'job',
    what: 'have the agent, which is root, ask the metadata service for a task (artifact)',
    attempt: w =>
      runJob(
        w.server,
        asOperator(w),
        jobOf({
          driver: 'docker',
          on: 'client2',
          script: 'true',
          task: `artifact {\n source = "${metadata}?archive=false"\n}`,
        }),
      ),
    // Every answer counts, and this one says that a token must be asked for in another way.
    refusal: /failed to download(?!.*bad response code)/s,
    gain: /bad response code: 405/,
    control: {
      how: 'root on the host',
      attempt: w => say(w.client, ['curl', '-sS', '-m', '3', '-w', 'bad response code: %{http_code}', metadata]),
    },
  },
  {
    position: 'job',
    what: "use Nomad's API from a task with the task's own identity",
    attempt: w => taskApi(w, '/v1/acl/tokens'),
    refusal: /HTTP\/1\.1 403/,
    gain: /"AccessorID"/,
    control: {
      how: 'the management token',
      attempt: w => taskApi(w, '/v1/acl/tokens', w.secrets.credentials.nomadManagement.reveal()),
    },
  },
  {
    position: 'job',
    what: "use Nomad's and Consul's APIs on the host's loopback from a task",
    attempt: w =>
      runJob(
        w.server,
        asOperator(w),
        jobOf({
          driver: 'exec',
          script:
            'for url in 4646/v1/jobs 4646/v1/agent/self 8500/v1/kv/attack?raw 8500/v1/agent/self; do curl -s -o /dev/null -D - http://127.0.0.1:$url | sed -n 1p; done',
        }),
      ),
    refusal: /^(HTTP\/1\.1 403 Forbidden\s+){4}/,
    gain: /HTTP\/1\.1 200/,
    control: {
      how: 'a careless cluster',
      attempt: ({ intruder }) =>
        runJob(
          intruder,
          {},
          jobOf({
            driver: 'exec',
            script:
              'for url in 4646/v1/jobs 4646/v1/agent/self 8500/v1/kv/attack?raw 8500/v1/agent/self; do curl -s -o /dev/null -D - http://127.0.0.1:$url | sed -n 1p; done',
          }),
        ),
    },
  },
];

/** Asks Nomad's API over the socket that every task has, with the task's identity or another token. */
function taskApi(w: World, path: string, token?: string): Promise<string> {
  const header = token === undefined ? '$NOMAD_TOKEN' : token;
  const script = `curl -s --unix-socket $NOMAD_SECRETS_DIR/api.sock -i -H "X-Nomad-Token: ${header}" http://localhost${path}`;
  return runJob(w.server, asOperator(w), jobOf({ driver: 'exec', script, task: 'identity {\n env = true\n}' }));
}
