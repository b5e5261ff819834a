import yargs from 'yargs';
import type { RunnableCommand } from './commands/command.ts';
import type { Layer } from './config/load.ts';
import { flagName, namesOf, type OptionName, options } from './config/options.ts';
import { BootstrapError } from './core/errors.ts';
import { version } from './version.ts';

/** What a command line asks for. */
export type Invocation =
  | {
      readonly kind: 'command';
      readonly command: RunnableCommand;
      /** The word after the command, where it takes one. */
      readonly action: string | undefined;
      readonly layer: Layer;
    }
  /** The help, or a completion: text for standard output. */
  | { readonly kind: 'text'; readonly text: string };

const commands: Readonly<Record<RunnableCommand, string>> = {
  server: 'Make this node a Consul server and a Nomad server',
  client: 'Make this node a Consul client and a Nomad client, with Docker and CNI',
  auto: "Make this node what its Linode's tags say (nomad-server, nomad-client), or what it was made before",
  dev: 'Make this machine a single node with both roles, on loopback only',
  image: 'Prepare a machine image: kernel settings, packages and CNI, no identity, nothing enabled',
  uninstall: 'Take away what was made on this machine; data only with --purge-data',
  verify: 'Tell whether this node, and the cluster as it sees it, is what it should be; changes nothing',
  facts: 'Tell what was found out about this machine',
  renew: "Replace this server's certificate when it is due; a timer does it",
  token: "Make a cluster's token (create), a client token of it (client), or tell a secret that follows from it (show)",
};

/** What follows a command's name, where it is not an option. */
const actions: Readonly<Partial<Record<RunnableCommand, readonly string[]>>> = { token: ['create', 'client', 'show'] };

const examples: [string, string][] = [
  [
    'sudo $0 server --insecure --expect 3 --join 10.0.0.11,10.0.0.12,10.0.0.13',
    'one of three servers: the same line on each',
  ],
  ['sudo $0 client --insecure --join 10.0.0.11,10.0.0.12,10.0.0.13', 'a client of theirs'],
  ['sudo $0 server', 'again: keeps what was recorded, changes nothing that is right'],
  ['sudo $0 client --insecure --join 10.0.0.11 --dry-run', 'what would be changed, with every diff'],
];

/** Understands a command line; judges no value. Throws `bad-usage`. */
export function parseCommandLine(argv: readonly string[], columns: number): Invocation {
  const [first] = argv;
  if (first === 'help') return parseCommandLine([...argv.slice(1), '--help'], columns);
  if (first !== undefined && !first.startsWith('-') && first !== 'completion' && !isCommand(first)) {
    throw badUsage(
      `there is no command ${JSON.stringify(first)}; the commands are ${[...Object.keys(commands), 'completion'].join(', ')}`,
    );
  }
  const { words, switches } = takeSwitchValues(argv);
  let text = '';
  let failure: BootstrapError | undefined;
  const parser = yargs([], '/')
    .scriptName('nomad-bootstrap')
    .locale('en')
    .exitProcess(false)
    .strict()
    .parserConfiguration({
      'parse-numbers': false,
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
      'dot-notation': false,
      'strip-aliased': true,
      'camel-case-expansion': false,
    })
    .usage('$0 <command> [options]\n\nTurns a fresh Linode into a running Nomad node, and tells whether it is one.')
    .demandCommand(1, 'say what this node is to be: server, client, dev or image; or ask: verify, facts')
    .wrap(Math.min(columns, 120))
    .version(false)
    .option('version', { type: 'boolean', describe: 'Print the version' })
    .help('help', 'Print this help')
    .alias('help', 'h')
    .completion('completion', 'Print a completion script for bash or zsh')
    .example(examples)
    .epilogue(
      'Every option is also a variable, such as NOMAD_BOOTSTRAP_EXPECT for --expect, and a key of the --config file.',
    )
    .fail((message, error) => {
      const choices = first !== undefined && isCommand(first) ? actions[first] : undefined;
      if (choices !== undefined && message?.startsWith('Not enough non-option arguments')) {
        failure ??= badUsage(`say what ${first} is to do: ${choices.join(', ')}`);
      }
      failure ??= error instanceof BootstrapError ? error : badUsage(message ?? String(error));
    });

  for (const [name, describe] of Object.entries(commands)) {
    const choices = actions[name as RunnableCommand];
    parser.command(choices === undefined ? name : `${name} <action>`, describe, builder => {
      if (choices !== undefined) builder.positional('action', { choices, describe: 'What to do' });
      for (const option of Object.keys(options) as OptionName[]) {
        if ((options[option].commands as readonly string[]).includes(name))
          builder.option(flagName(option), yargsOption(option));
      }
      return builder;
    });
  }

  const parsed = parser.parse(words, {}, (_error: unknown, _argv: unknown, output: string) => {
    text = output;
  }) as Record<string, unknown> & { _: unknown[] };
  if (parsed['version'] === true && text === '') return { kind: 'text', text: `nomad-bootstrap ${version}` };
  if (failure !== undefined) throw failure;
  const command = parsed._[0];
  if (text !== '' || typeof command !== 'string' || !isCommand(command))
    // The kind of a value says less than its placeholder.
    return { kind: 'text', text: text.replaceAll(/\s*\[(?:string|boolean)\]$/gm, '') };
  if (parsed._.length > 1) throw badUsage(`${command} takes no further words: ${parsed._.slice(1).join(' ')}`);

  const values: Partial<Record<OptionName, unknown>> = {};
  for (const name of Object.keys(options) as OptionName[]) {
    const value =
      switches.get(flagName(name)) ??
      namesOf(name)
        .map(key => parsed[key])
        .find(given => given !== undefined);
    if (value !== undefined) values[name] = value;
  }
  const action = typeof parsed['action'] === 'string' ? parsed['action'] : undefined;
  return { kind: 'command', command, action, layer: { place: name => `--${flagName(name)}`, values } };
}

/**
 * Takes the values off switches (`--dry-run=yes`): yargs would make `false` of all but `true`, and run for real. They are
 * judged with all others.
 */
function takeSwitchValues(argv: readonly string[]) {
  const known = new Set(
    (Object.keys(options) as OptionName[]).filter(name => options[name].kind === 'switch').map(flagName),
  );
  const flags = new Set((Object.keys(options) as OptionName[]).flatMap(namesOf));
  const switches = new Map<string, string>();
  const end = argv.indexOf('--');
  const words = argv.map((word, index) => {
    const [, flag = '', value] = /^--(?<flag>[^=]+)(?:=(?<value>.*))?$/s.exec(word) ?? [];
    if (end !== -1 && index > end) return word;
    // yargs looks options up in plain objects, and would find what every object has.
    if (flag.replace(/^no-/, '') in Object.prototype) throw badUsage(`Unknown argument: ${flag}`);
    if (flag.startsWith('no-') && !known.has(flag.slice(3)) && flags.has(flag.slice(3))) {
      throw badUsage(`--${flag}: only a switch can be taken back so, and --${flag.slice(3)} takes a value`);
    }
    // The last one counts.
    if (value === undefined) switches.delete(flag.replace(/^no-/, ''));
    if (!known.has(flag)) return word;
    if (value !== undefined) switches.set(flag, value);
    return `--${flag}=true`; // a bare one that precedes the command would take its name for a value
  });
  return { words, switches };
}

function isCommand(word: string): word is RunnableCommand {
  return Object.hasOwn(commands, word);
}

function yargsOption(name: OptionName) {
  const { group, kind, describe, placeholder, alias } = options[name] as (typeof options)[OptionName] & {
    placeholder?: string;
    alias?: string;
  };
  return {
    group: `${group}:`,
    describe: placeholder === undefined ? describe : `${describe} [${placeholder}]`,
    ...(alias === undefined ? {} : { alias }),
    ...(kind === 'switch' ? { type: 'boolean' as const } : { type: 'string' as const, requiresArg: true }),
  };
}

function badUsage(message: string): BootstrapError {
  return new BootstrapError('bad-usage', message.replaceAll(/\s+/g, ' '), {
    hint: '`nomad-bootstrap --help` lists the commands, `nomad-bootstrap COMMAND --help` the options of one. Nothing was touched.',
  });
}
