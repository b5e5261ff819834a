/** Renders the templates/ folder: the only file that uses mustache. */
import mustache from 'mustache';
import { BootstrapError } from './core/errors.ts';
import { Secret } from './core/secret.ts';

/** What a template may show. `undefined` is a value that is known to be absent: only sections may ask for it. */
export type Plain = string | number | boolean | undefined;

type Value<Leaf> = Leaf | readonly Value<Leaf>[] | { readonly [name: string]: Value<Leaf> };

/** The values of a template by name. */
export interface View<Leaf extends Plain | Secret = Plain | Secret> {
  readonly [name: string]: Value<Leaf>;
}

/** Makes a value fit for its place, or throws `bad-setting` naming `name`, the value's place in the view. */
export type Escape = (value: string, name: string) => string;

/**
 * The template filled in. The result is a {@link Secret} if the view holds one. `escaping` sees every string and secret of
 * the view, by default as the content of a double-quoted HCL string ({@link hclString}); the template must then have
 * quotes around every string. Throws an Error, a bug, when the template asks for a name that the view lacks, for an
 * unescaped value, or for a partial.
 */
export function render(template: string, view: View<Plain>, escaping?: Escape): string;
export function render(template: string, view: View, escaping?: Escape): string | Secret;
export function render(template: string, view: View, escaping: Escape = hclString): string | Secret {
  let holdsSecret = false;
  const values = prepared(view, '');
  checkTokens(mustache.parse(template) as readonly Token[], [values], {
    template,
    quoted: escaping === hclString ? false : undefined,
  });

  const text = mustache.render(template, values, undefined, { escape: String });
  return holdsSecret ? new Secret(text) : text;

  /** A copy with every string escaped, so that mustache has nothing to decide; without prototypes to look names up in. */
  function prepared(value: Value<Plain | Secret>, name: string): unknown {
    if (value instanceof Secret) {
      holdsSecret = true;
      return escaping(value.reveal(), name);
    }
    if (typeof value === 'string') return escaping(value, name);
    if (typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item, index) => prepared(item, `${name}[${index}]`));
    const copy: Record<string, unknown> = Object.create(null);
    for (const [key, item] of Object.entries(value)) copy[key] = prepared(item, name === '' ? key : `${name}.${key}`);
    return copy;
  }
}

/**
 * Escapes the content of a double-quoted string for HCL 1 (the agents' configuration) and HCL 2 (jobs) alike. What HCL
 * would evaluate (`${`, `%{`) and control characters other than newline, return and tab are refused with `bad-setting`;
 * what could become an evaluation together with the text around it is written by its number.
 */
export function hclString(value: string, name: string): string {
  const evaluated = /[$%]\{/.exec(value);
  if (evaluated !== null) {
    throw new BootstrapError('bad-setting', `${name} contains ${evaluated[0]}, which HCL would evaluate`, {
      hint: `give ${name} a value without ${evaluated[0]}`,
    });
  }
  const escaped = value
    .replace(/["\\]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replace(/^\{/, '\\u007b')
    .replace(/\$$/, '\\u0024')
    .replace(/%$/, '\\u0025');
  if (/[\p{Cc}\p{Cs}]/u.test(escaped)) {
    throw new BootstrapError('bad-setting', `${name} contains a control character`, {
      hint: `give ${name} a value of printable characters`,
    });
  }
  return escaped;
}

/** A node of what mustache parses: its kind, its text or name, where it starts and ends, and what a section contains. */
type Token = readonly [kind: string, text: string, start: number, end: number, body?: readonly Token[]];

interface Walk {
  readonly template: string;
  /** Whether the text so far leaves a quote open on its line; `undefined` where quotes mean nothing. */
  quoted: boolean | undefined;
}

/** Follows the template as mustache will render it, from the innermost of `scopes` outwards. */
function checkTokens(tokens: readonly Token[], scopes: readonly unknown[], walk: Walk): void {
  for (const [kind, text, start, , body = []] of tokens) {
    switch (kind) {
      case 'text':
        if (walk.quoted !== undefined) walk.quoted = leavesQuoteOpen(text, walk.quoted);
        break;
      case 'name': {
        const value = lookUp(text, scopes);
        if (value === undefined || typeof value === 'object') {
          throw templateError(walk, start, `{{${text}}} has no value in the view`);
        }
        if (walk.quoted === false && typeof value === 'string') {
          throw templateError(walk, start, `{{${text}}} is a string and not within quotes`);
        }
        break;
      }
      case '#':
        for (const scope of scopesOfSection(present(text, start), scopes)) checkTokens(body, scope, walk);
        break;
      case '^':
        present(text, start);
        checkTokens(body, scopes, walk);
        break;
      case '!':
      case '=':
        break;
      default:
        throw templateError(walk, start, `${kind === '>' ? 'a partial' : 'an unescaped value'}: ${text}`);
    }
  }

  function present(name: string, start: number): unknown {
    const value = lookUp(name, scopes);
    if (value === undefined && !isKnown(name, scopes)) {
      throw templateError(walk, start, `{{#${name}}} asks for a name that the view lacks`);
    }
    return value;
  }
}

/** The scopes in which a section's body is rendered, one for each time. A switch that is off is looked into as well. */
function scopesOfSection(value: unknown, scopes: readonly unknown[]): readonly (readonly unknown[])[] {
  if (Array.isArray(value)) return value.map(item => [item, ...scopes]);
  if (typeof value === 'boolean') return [scopes];
  return value === undefined || value === '' || value === 0 ? [] : [[value, ...scopes]];
}

function lookUp(name: string, scopes: readonly unknown[]): unknown {
  return name === '.' ? scopes[0] : valueIn(holderOf(name, scopes), name.split('.'));
}

function isKnown(name: string, scopes: readonly unknown[]): boolean {
  return name === '.' || holderOf(name, scopes) !== undefined;
}

/** The innermost scope that has the whole dotted name. */
function holderOf(name: string, scopes: readonly unknown[]): unknown {
  const path = name.split('.');
  const last = path.at(-1) ?? name;
  return scopes.find(scope => {
    const parent = valueIn(scope, path.slice(0, -1));
    return typeof parent === 'object' && parent !== null && Object.hasOwn(parent, last);
  });
}

function valueIn(scope: unknown, path: readonly string[]): unknown {
  let value = scope;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function leavesQuoteOpen(text: string, quoted: boolean): boolean {
  let open = quoted;
  for (const [token] of text.matchAll(/\\.|"|\n/g)) {
    if (token === '"') open = !open;
    else if (token === '\n') open = false;
  }
  return open;
}

function templateError(walk: Walk, start: number, problem: string): Error {
  return new Error(`template line ${walk.template.slice(0, start).split('\n').length}: ${problem}`);
}
