/** The only file that touches the process: argv, environment, signals, streams, exit code. */
import { exitCodes } from '../src/core/exit-codes.ts';
import { main } from '../src/main.ts';
import { describeTerminal } from '../src/reporters/terminal.ts';

const environment = { ...process.env };
// Read once, and gone before any library or child could see it; so is what would steer the agents' own programs.
for (const name of Object.keys(process.env)) {
  if (/^(?:NOMAD|CONSUL|VAULT)_/.test(name)) delete process.env[name];
}

// Whoever calls a root program does not decide whether it checks certificates.
delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];

// What is made is for others to read unless it says otherwise, whatever the caller's shell has.
process.umask(0o022);

// Libraries take it badly when they are loaded in a folder that is gone.
try {
  process.cwd();
} catch {
  process.chdir('/');
}

process.on('uncaughtException', error => {
  process.stderr.write(`error: this is a bug in nomad-bootstrap: ${error instanceof Error ? error.stack : error}\n`);
  process.exit(exitCodes.bug);
});

// A closed terminal or pipe ends no run: it goes on into the log. Nor does the signal that opens a debugger in others.
for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => {});
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

main({
  argv: process.argv.slice(2),
  environment,
  userId: process.getuid?.() ?? -1,
  stdout: { terminal: describeTerminal(process.stdout, environment), write: text => void process.stdout.write(text) },
  stderr: { terminal: describeTerminal(process.stderr, environment), write: text => void process.stderr.write(text) },
  onSignal(listener) {
    process.on('SIGINT', listener);
    process.on('SIGTERM', listener);
  },
}).then(exitCode => {
  // A write tells the errors of those before it.
  process.stdout.write('', (error?: NodeJS.ErrnoException | null) => {
    // Whoever went away wants no answer. A full disk is another matter: half a token must not pass for one.
    const lost = error && error.code !== 'EPIPE' && error.code !== 'EIO' ? error : undefined;
    if (lost !== undefined) {
      process.stderr.write(
        `error: standard output could not be written: ${lost.message}\nfix: make room where it goes, or send it elsewhere\n`,
      );
    }
    // Whatever is still open, such as the answer of a slow server that nobody waits for any more, keeps nobody waiting.
    process.exit(lost !== undefined && exitCode === exitCodes.converged ? exitCodes.failed : exitCode);
  });
});
