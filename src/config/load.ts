import { BootstrapError } from '../core/errors.ts';
import { flagName, namesOf, type OptionName, options, type Settings, variableName } from './options.ts';

/** Where values come from, before they are judged. A value is text, or what YAML made of it. */
export interface Layer {
  /** How a value's place is called in an error: `--expect`, `NOMAD_BOOTSTRAP_EXPECT`, `expect in nodes.yaml`. */
  readonly place: (name: OptionName) => string;
  readonly values: Readonly<Partial<Record<OptionName, unknown>>>;
}

/** The settings of the first layer that has each; none where that takes it back. Throws `bad-setting`, naming the place and what it must be. */
export function mergeLayers(layers: readonly Layer[]): Settings {
  const merged: Partial<Record<OptionName, unknown>> = {};
  for (const name of Object.keys(options) as OptionName[]) {
    const layer = layers.find(({ values }) => values[name] !== undefined);
    if (layer === undefined || takesBack(name, layer.values[name])) continue;
    merged[name] = judged(name, layer);
  }
  return merged as Settings;
}

function takesBack(name: OptionName, given: unknown): boolean {
  return given === '' && 'emptyTakesBack' in options[name];
}

function judged(name: OptionName, layer: Layer): unknown {
  const { kind, schema, placeholder, describe } = options[name];
  const given = layer.values[name];
  const value =
    kind === 'list'
      ? listOf(given)
      : kind === 'pairs'
        ? pairsOf(given, layer.place(name))
        : kind === 'switch'
          ? switchOf(given)
          : given;
  if (kind === 'value' && Array.isArray(value))
    throw badSetting(layer.place(name), given, 'was given more than once', describe);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const message = issue?.message ?? 'cannot be used';
  const complaint =
    issue?.code === 'invalid_type' && issue.expected === 'string' && ['number', 'boolean'].includes(typeof given)
      ? `is read as a ${typeof given}, and text is wanted: put it in quotes`
      : message.startsWith('must') || message.startsWith('values')
        ? message
        : `must be ${placeholder ?? 'true or false'}`;
  throw badSetting(layer.place(name), given, complaint, describe);
}

function badSetting(place: string, given: unknown, complaint: string, describe: string): BootstrapError {
  const shown = typeof given === 'string' ? given : JSON.stringify(given);
  return new BootstrapError('bad-setting', `${place} ${JSON.stringify(shown).slice(1, -1)}: ${complaint}`, {
    hint: `${describe}. Nothing was touched.`,
  });
}

/** Commas and repetition are the same. */
function listOf(given: unknown): unknown {
  const parts = Array.isArray(given) ? given : [given];
  return parts
    .flatMap((part: unknown) => (typeof part === 'string' ? part.split(',').map(item => item.trim()) : [part]))
    .filter(item => item !== '');
}

function pairsOf(given: unknown, place: string): unknown {
  const pairs =
    typeof given === 'object' && given !== null && !Array.isArray(given)
      ? Object.entries(given).map(([key, value]) => [key, typeof value === 'object' ? value : String(value)] as const)
      : (Array.isArray(given) ? given : [given]).map(textOf).map(part => {
          const at = part.indexOf('=');
          if (at < 1) throw badSetting(place, part, 'must be key=value', options.meta.describe);
          return [part.slice(0, at), part.slice(at + 1)] as const;
        });
  // The schema would leave it out without a word.
  if (pairs.some(([key]) => key === '__proto__')) {
    throw badSetting(place, '__proto__', 'must be another key', options.meta.describe);
  }
  return Object.fromEntries(pairs);
}

function textOf(part: unknown): string {
  return typeof part === 'string' ? part : (JSON.stringify(part) ?? '');
}

function switchOf(given: unknown): unknown {
  if (given === 'true' || given === '1' || given === 'yes') return true;
  if (given === 'false' || given === '0' || given === 'no') return false;
  return given;
}

/** Holds the token itself, which is no setting: it has no flag, no key of the --config file, and is never shown. */
export const tokenVariable = 'NOMAD_BOOTSTRAP_TOKEN';

/** The same for the token of Linode's API. */
export const linodeTokenVariable = 'NOMAD_BOOTSTRAP_LINODE_TOKEN';

/** The NOMAD_BOOTSTRAP_* variables. An empty one is as good as none: a StackScript's field that was left empty. */
export function environmentLayer(environment: Readonly<Record<string, string | undefined>>): Layer {
  const values: Partial<Record<OptionName, string | readonly string[]>> = {};
  const known = new Map(
    (Object.keys(options) as OptionName[]).flatMap(name =>
      namesOf(name).map(key => [variableName(key), name] as const),
    ),
  );
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('NOMAD_BOOTSTRAP_') || value === undefined || value === '') continue;
    if (variable === tokenVariable || variable === linodeTokenVariable) continue;
    const name = known.get(variable);
    if (name === undefined) {
      throw new BootstrapError('bad-setting', `${variable} is not a setting`, {
        hint: `unset it, or mend its name: it is NOMAD_BOOTSTRAP_ and the option's (nomad-bootstrap COMMAND --help) in capitals, with _ for -. Nothing was touched.`,
      });
    }
    if (values[name] !== undefined) {
      throw new BootstrapError(
        'bad-setting',
        `${namesOf(name).map(variableName).join(' and ')} are one, and both are set`,
        {
          hint: 'unset one of them. Nothing was touched.',
        },
      );
    }
    // A comma may be part of a value: pairs are repeated, and only the variable has several in one text.
    values[name] = options[name].kind === 'pairs' ? value.split(',') : value;
  }
  return { place: name => `${variableName(name)}:`, values };
}

/** The settings of a --config file: YAML, the flags' names as keys. `text` is an Error where it cannot be read. */
export async function fileLayer(path: string, text: string | Error): Promise<Layer> {
  const refuse = (message: string, cause?: unknown) =>
    new BootstrapError('bad-config-file', message, {
      hint: 'the file is a list of `name: value` lines, one for each flag, such as `expect: 3`. Nothing was touched.',
      cause,
    });
  if (typeof text !== 'string') throw refuse(`the --config file ${path} cannot be read: ${text.message}`, text);
  const { parse } = await import('yaml');
  let content: unknown;
  try {
    // A warning would go past our reporters, straight to the terminal.
    content = parse(text, { logLevel: 'error' }) ?? {};
    // A list may hold itself, by an anchor.
    JSON.stringify(content);
  } catch (error) {
    throw refuse(`the --config file ${path} is not valid YAML: ${(error as Error).message.split('\n')[0]}`, error);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw refuse(`the --config file ${path} is not a list of settings`);
  const known = new Map(
    (Object.keys(options) as OptionName[]).flatMap(name => namesOf(name).map(key => [key, name] as const)),
  );
  const values: Partial<Record<OptionName, unknown>> = {};
  for (const [key, value] of Object.entries(content)) {
    const name = known.get(key);
    if (name === undefined || name === 'config')
      throw refuse(`the --config file ${path} has an unknown setting: ${JSON.stringify(key)}`);
    if (values[name] !== undefined)
      throw refuse(`the --config file ${path} has ${namesOf(name).join(' and ')}, which are one`);
    values[name] = value ?? undefined;
  }
  return { place: name => `${flagName(name)} in ${path}:`, values };
}
