import { describe, expect, test } from 'vitest';
import type { CheckResult } from '../../src/core/types.ts';
import { renderVerify, type VerifyFormat } from '../../src/reporters/verify.ts';
import { nagiosExitCode } from '../../src/reporters/verify-nagios.ts';
import { verifyReport } from '../../src/reporters/verify-report.ts';

const target = { config: { node: { name: 'nomad-s1', role: 'server' } } };
const now = new Date('2026-11-22T15:04:05.678Z');

const passed: CheckResult = {
  id: 'consul-leader',
  title: 'Consul has a leader',
  status: 'pass',
  detail: '10.0.0.11:8300',
  durationMs: 12,
};
const warned: CheckResult = {
  id: 'time-sync',
  title: 'The clock is synchronised',
  status: 'warn',
  detail: 'nothing keeps it',
  hint: 'timedatectl set-ntp true',
  durationMs: 3,
};
const failed: CheckResult = {
  id: 'config-drift',
  title: 'The node is as its recorded settings say',
  status: 'fail',
  detail: 'a "quoted" <name> | 1 & 2',
  hint: 'run nomad-bootstrap again',
  diff: 'change /etc/nomad.d/nomad.hcl\n-bind_addr = "10.0.0.11"\n+bind_addr = "0.0.0.0"\n',
  durationMs: 31,
};
const skipped: CheckResult = {
  id: 'docker',
  title: 'Docker answers',
  status: 'skip',
  detail: 'does not apply to this node',
  durationMs: 0,
};

const ill = verifyReport(target, [failed, passed, warned, skipped, { ...skipped, id: 'cgroups' }]);
const well = verifyReport(target, [passed]);
const nothing = verifyReport(target, [skipped]);

function render(
  format: VerifyFormat,
  report = ill,
  more: { colour?: boolean; verbose?: boolean; quiet?: boolean } = {},
): string {
  return renderVerify(report, format, { colour: false, verbose: false, now, ...more });
}

describe('the report', () => {
  test('counts the results, and is fine as long as nothing failed', () => {
    expect(ill).toMatchObject({
      ok: false,
      node: 'nomad-s1',
      role: 'server',
      summary: { pass: 1, warn: 1, fail: 1, skip: 2 },
    });
    expect(verifyReport(target, [passed, warned]).ok).toBe(true);
  });

  test('is itself the JSON document', () => {
    expect(JSON.parse(render('json'))).toEqual(ill);
    expect(Object.keys(JSON.parse(render('json', well)))).toEqual(['ok', 'node', 'role', 'summary', 'checks']);
  });
});

describe('text', () => {
  test('is an aligned table with the failures last, each with its fix', () => {
    expect(render('text')).toBe(`nomad-s1 (server)

ok    Consul has a leader                       10.0.0.11:8300
skip  2 more: does not apply to this node
warn  The clock is synchronised                 nothing keeps it  [time-sync]
      fix: timedatectl set-ntp true
FAIL  The node is as its recorded settings say  a "quoted" <name> | 1 & 2  [config-drift]
      fix: run nomad-bootstrap again

not healthy: 1 passed, 1 warning, 1 failed, 2 skipped
`);
  });

  test('shows what differs, and the times, when it is to be verbose', () => {
    const text = render('text', ill, { verbose: true });

    expect(text).toContain('    -bind_addr = "10.0.0.11"\n    +bind_addr = "0.0.0.0"\n');
    expect(text).toContain('10.0.0.11:8300  12 ms\n');
    expect(text).toContain('skip  docker, cgroups: does not apply to this node\n');
  });

  test('names the checks that could say nothing, and why', () => {
    const blocked = verifyReport(target, [failed, { ...skipped, detail: 'says nothing without config-drift' }]);

    expect(render('text', blocked)).toContain('skip  docker: says nothing without config-drift\n');
  });

  test('has what is wrong alone when it is to be quiet, and nothing where nothing is', () => {
    expect(render('text', ill, { quiet: true })).toMatch(/^nomad-s1 \(server\)\n\nwarn .*\n.*fix: .*\nFAIL /);
    expect(render('text', well, { quiet: true })).toBe('');
  });

  test('has colours only where they are wanted', () => {
    expect(render('text', ill, { colour: true })).toContain('\u001b[31mFAIL');
    expect(render('text')).not.toContain('\u001b');
  });

  test('lets nothing from an agent act on the terminal', () => {
    const nasty = verifyReport(target, [{ ...failed, detail: '\u001b[2J\rgone\naway' }]);

    expect(render('text', nasty)).toContain('  gone away  [');
    expect(render('text', nasty)).not.toContain('\r');
  });

  test('says so when nothing was checked', () => {
    expect(render('text', nothing)).toContain('nothing was checked');
  });
});

describe('nagios', () => {
  test('is one line with the worst first, and performance data that no detail can break', () => {
    expect(render('nagios')).toBe(
      'NOMAD CRITICAL - config-drift: a "quoted" <name> / 1 & 2; time-sync: nothing keeps it | pass=1 warn=1 fail=1 skip=2\n',
    );
    expect(render('nagios', well)).toBe('NOMAD OK - all 1 passed | pass=1 warn=0 fail=0 skip=0\n');
  });

  test('exits as plugins do', () => {
    const codes = [well, verifyReport(target, [warned, passed]), ill, nothing].map(nagiosExitCode);

    expect(codes).toEqual([0, 1, 2, 3]);
  });
});

describe('prometheus', () => {
  test('has HELP and TYPE for every metric, and a series for every check', () => {
    expect(render('prometheus')).toBe(`# HELP nomad_bootstrap_healthy Whether no check failed.
# TYPE nomad_bootstrap_healthy gauge
nomad_bootstrap_healthy 0
# HELP nomad_bootstrap_node_info What was checked: always 1.
# TYPE nomad_bootstrap_node_info gauge
nomad_bootstrap_node_info{node="nomad-s1",role="server"} 1
# HELP nomad_bootstrap_checks How many checks ended with each status.
# TYPE nomad_bootstrap_checks gauge
nomad_bootstrap_checks{status="pass"} 1
nomad_bootstrap_checks{status="warn"} 1
nomad_bootstrap_checks{status="fail"} 1
nomad_bootstrap_checks{status="skip"} 2
# HELP nomad_bootstrap_check_status Result of each check: 0 passed, 1 warning, 2 failed, -1 skipped.
# TYPE nomad_bootstrap_check_status gauge
nomad_bootstrap_check_status{check="config-drift"} 2
nomad_bootstrap_check_status{check="consul-leader"} 0
nomad_bootstrap_check_status{check="time-sync"} 1
nomad_bootstrap_check_status{check="docker"} -1
nomad_bootstrap_check_status{check="cgroups"} -1
# HELP nomad_bootstrap_check_duration_seconds How long each check took.
# TYPE nomad_bootstrap_check_duration_seconds gauge
nomad_bootstrap_check_duration_seconds{check="config-drift"} 0.031
nomad_bootstrap_check_duration_seconds{check="consul-leader"} 0.012
nomad_bootstrap_check_duration_seconds{check="time-sync"} 0.003
nomad_bootstrap_check_duration_seconds{check="docker"} 0
nomad_bootstrap_check_duration_seconds{check="cgroups"} 0
# HELP nomad_bootstrap_verify_timestamp_seconds When the checks were made.
# TYPE nomad_bootstrap_verify_timestamp_seconds gauge
nomad_bootstrap_verify_timestamp_seconds 1795359845.678
`);
  });

  test('escapes what would end a label', () => {
    const odd = verifyReport({ config: { node: { name: 'a"b\\c\nd', role: 'client' } } }, [passed]);

    expect(render('prometheus', odd)).toContain('{node="a\\"b\\\\c\\nd",role="client"}');
  });
});

describe('junit', () => {
  test('is a suite with a case for every check', () => {
    expect(render('junit')).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="nomad-bootstrap verify server" package="nomad-bootstrap" id="0" hostname="nomad-s1" timestamp="2026-11-22T15:04:05" tests="5" failures="1" errors="0" skipped="2" time="0.046">
    <properties/>
    <testcase classname="nomad-bootstrap.config-drift" name="The node is as its recorded settings say" time="0.031">
      <failure message="a &quot;quoted&quot; &lt;name&gt; | 1 &amp; 2" type="config-drift">a &quot;quoted&quot; &lt;name&gt; | 1 &amp; 2
fix: run nomad-bootstrap again
change /etc/nomad.d/nomad.hcl
-bind_addr = &quot;10.0.0.11&quot;
+bind_addr = &quot;0.0.0.0&quot;
</failure>
    </testcase>
    <testcase classname="nomad-bootstrap.consul-leader" name="Consul has a leader" time="0.012"/>
    <testcase classname="nomad-bootstrap.time-sync" name="The clock is synchronised" time="0.003"/>
    <testcase classname="nomad-bootstrap.docker" name="Docker answers" time="0">
      <skipped message="does not apply to this node"/>
    </testcase>
    <testcase classname="nomad-bootstrap.cgroups" name="Docker answers" time="0">
      <skipped message="does not apply to this node"/>
    </testcase>
    <system-out>warning: time-sync: nothing keeps it
  fix: timedatectl set-ntp true
</system-out>
    <system-err/>
  </testsuite>
</testsuites>
`);
  });

  test('holds no character that XML has no place for', () => {
    const nasty = verifyReport(target, [{ ...failed, detail: 'a\u0000b\u001bc' }]);

    expect(render('junit', nasty)).toContain('message="a b c"');
  });
});
