// test.ts unit [lab]: types, lint and unit tests, then the lab. The last line counts all of them; exit 1 when any failed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part of vitest's JSON report that is counted here. A file that could not be loaded has failed without a test. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { status: string; name: string; assertionResults: { status: string }[] }[];
}

/** Runs one program on the pinned Node.js and shows what it says; true when it ended well. */
function runs(script: string, ...options: string[]): boolean {
  return spawnSync(process.execPath, [script, ...options], { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

function check(title: string, script: string, ...options: string[]): Totals {
  process.stdout.write(`\n${title}\n`);
  const passed = runs(script, ...options);
  process.stdout.write(`${passed ? 'passed' : 'FAILED'}: ${title}\n`);
  return { passed: Number(passed), failed: Number(!passed), skipped: 0 };
}

function tests(project: string): Totals {
  process.stdout.write(`\n${project} tests\n`);
  const file = `.build/report-${project}.json`;
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const ended = runs('node_modules/vitest/vitest.mjs', 'run', '--project', project, ...reporters);
  const totals = count(file);
  // An error outside of every test, or no report at all, is a failure too.
  return ended || totals.failed > 0 ? totals : { ...totals, failed: 1 };
}

function count(file: string): Totals {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const broken = report.testResults.filter(
    result => result.status === 'failed' && !result.assertionResults.some(test => test.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

mkdirSync('.build', { recursive: true });
const results = [
  check('types', 'node_modules/typescript/bin/tsc'),
  check('lint and format', 'node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'),
  ...process.argv.slice(2).map(tests),
];
const sum = (key: keyof Totals): number => results.reduce((total, result) => total + result[key], 0);
const closingLine = `${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped\n`;
writeFileSync('.build/totals', closingLine);
process.stdout.write(`\n${closingLine}`);
process.exitCode = sum('failed') > 0 ? 1 : 0;
