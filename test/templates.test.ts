import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BootstrapError } from '../src/core/errors.ts';
import { Secret } from '../src/core/secret.ts';
import { render } from '../src/templates.ts';

/** The start of an evaluation in HCL and in a shell. */
const open = '${';

describe('values within HCL', () => {
  test('quotes, backslashes and line ends are escaped', () => {
    expect(render('a = "{{a}}"', { a: 'x" }\n\\ \r\t' })).toBe('a = "x\\" }\\n\\\\ \\r\\t"');
  });

  test('HTML is left alone', () => {
    expect(render('a = "{{a}}"', { a: `/dc1/<&>'=` })).toBe(`a = "/dc1/<&>'="`);
  });

  test('numbers and switches are written as they are', () => {
    expect(render('a = {{a}}\nb = {{b}}\nc = "{{a}}"', { a: 3, b: false })).toBe('a = 3\nb = false\nc = "3"');
  });

  test.each([`${open}x}`, '%{ if x }', `$${open}x}`])('%s is refused and its place named', value => {
    expect(failure(() => render('"{{#meta}}{{value}}{{/meta}}"', { meta: [{ value: 'ok' }, { value }] }))).toEqual({
      code: 'bad-setting',
      message: `meta[1].value contains ${value.includes('%') ? '%{' : open}, which HCL would evaluate`,
      hint: `give meta[1].value a value without ${value.includes('%') ? '%{' : open}`,
    });
  });

  test.each(['\0', '\x1b[2J', '\x7f', '\x85', '\ud800'])('the control character %j is refused', value => {
    expect(failure(() => render('"{{node.name}}"', { node: { name: `a${value}b` } }))).toEqual({
      code: 'bad-setting',
      message: 'node.name contains a control character',
      hint: 'give node.name a value of printable characters',
    });
  });

  test('two harmless values beside each other do not become an evaluation', () => {
    expect(render('"{{a}}{{b}}" "{{a}}{x}"', { a: '1$', b: '{x}' })).toBe('"1\\u0024\\u007bx}" "1\\u0024{x}"');
  });

  test('any value in quotes is read back as itself, unless it holds an evaluation or a control character', () => {
    const character = fc.oneof(fc.constantFrom(...'"\\\n\r\t{}%$# '), fc.string({ unit: 'binary', maxLength: 1 }));
    fc.assert(
      fc.property(fc.array(character), fc.array(character), (first, second) => {
        const values = { first: first.join(''), second: second.join('') };

        const text = renderOrRefuse('a = "{{first}}"\nb = "{{first}}{{second}}" # end', values);

        const refused = Object.values(values).some(value => /[$%]\{|[^\P{Cc}\n\r\t]|\p{Cs}/u.test(value));
        expect(text === undefined).toBe(refused);
        if (text !== undefined) expect(readHclStrings(text)).toEqual([values.first, values.first + values.second]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('names', () => {
  test.each([
    ['a\n{{b}}', { a: 1 }, 'template line 2: {{b}} has no value in the view'],
    ['{{#b}}x{{/b}}', { a: 1 }, 'template line 1: {{#b}} asks for a name that the view lacks'],
    ['{{^b}}x{{/b}}', { a: 1 }, 'template line 1: {{#b}} asks for a name that the view lacks'],
    ['{{^a}}{{b}}{{/a}}', { a: true }, 'template line 1: {{b}} has no value in the view'],
    ['{{#a}}{{b}}{{/a}}', { a: false }, 'template line 1: {{b}} has no value in the view'],
    ['{{#a}}{{b}}{{/a}}', { a: [{ b: 1 }, { c: 1 }] }, 'template line 1: {{b}} has no value in the view'],
    ['{{a.c}}', { a: { b: 1 } }, 'template line 1: {{a.c}} has no value in the view'],
    ['{{a}}', { a: undefined }, 'template line 1: {{a}} has no value in the view'],
    ['{{a}}', { a: [1] }, 'template line 1: {{a}} has no value in the view'],
    ['{{toString}}', {}, 'template line 1: {{toString}} has no value in the view'],
    ['"{{#a}}{{reveal}}{{/a}}"', { a: new Secret('x') }, 'template line 1: {{reveal}} has no value in the view'],
    ['{{{a}}}', { a: 1 }, 'template line 1: an unescaped value: a'],
    ['{{&a}}', { a: 1 }, 'template line 1: an unescaped value: a'],
    ['{{#a}}{{{a}}}{{/a}}', { a: false }, 'template line 1: an unescaped value: a'],
    ['{{>a}}', { a: 1 }, 'template line 1: a partial: a'],
    ['a = {{a}}', { a: 'x' }, 'template line 1: {{a}} is a string and not within quotes'],
    ['a = "x\n{{a}}"', { a: 'x' }, 'template line 2: {{a}} is a string and not within quotes'],
    ['a = "\\""{{a}}', { a: 'x' }, 'template line 1: {{a}} is a string and not within quotes'],
  ])('%s is refused with %j', (template, view, message) => {
    expect(() => render(template, view)).toThrow(new Error(message));
  });

  test('a section repeats for each element, with its own names first and the outer ones after', () => {
    const template = 'join = [\n{{#servers}}\n  "{{.}}:{{port}}",\n{{/servers}}\n]\n';

    expect(render(template, { port: 4648, servers: ['10.0.0.2', '10.0.0.3'] })).toBe(
      'join = [\n  "10.0.0.2:4648",\n  "10.0.0.3:4648",\n]\n',
    );
  });

  test('what is known to be absent is left out, and its names are not asked for', () => {
    const template = '{{#tls}}\ncert = "{{cert}}"\n{{/tls}}\n{{^tls}}\ninsecure\n{{/tls}}\n';

    expect(render(template, { tls: undefined })).toBe('insecure\n');
    expect(render(template, { tls: { cert: '/c' } })).toBe('cert = "/c"\n');
  });

  test('a dotted name is looked for outwards as a whole', () => {
    expect(render('"{{#a}}{{b.c}}{{/a}}"', { a: { b: { d: 1 } }, b: { c: 'outer' } })).toBe('"outer"');
  });
});

describe('secrets', () => {
  test('a template with a secret is a secret that holds the value', () => {
    const rendered = render('encrypt = "{{key}}"', { key: new Secret('test"vector') });

    expect(String(rendered)).toBe('[hidden]');
    expect(rendered instanceof Secret && rendered.reveal()).toBe('encrypt = "test\\"vector"');
  });

  test('a secret within a list makes the whole result a secret', () => {
    expect(render('{{#a}}"{{.}}"{{/a}}', { a: ['x', new Secret('y')] })).toBeInstanceOf(Secret);
  });

  test('a secret that cannot be written is refused without being shown', () => {
    const { message, hint } = failure(() => render('"{{key}}"', { key: new Secret(`test-vector-${open}x}`) }));

    expect(message + hint).not.toContain('test-vector');
  });
});

test('another format brings its own escape and needs no quotes', () => {
  const shell = (value: string): string => `'${value.replaceAll("'", String.raw`'\''`)}'`;

  expect(render('export NAME={{name}}', { name: `it's ${open}HOME}` }, shell)).toBe(
    String.raw`export NAME='it'\''s ${open}HOME}'`,
  );
});

function failure(action: () => unknown): { code: string; message: string; hint: string } {
  try {
    action();
  } catch (error) {
    if (error instanceof BootstrapError) return { code: error.code, message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error('nothing was refused');
}

function renderOrRefuse(template: string, view: Record<string, string>): string | undefined {
  try {
    return render(template, view);
  } catch (error) {
    if (error instanceof BootstrapError) return undefined;
    throw error;
  }
}

/** The quoted strings of an HCL text, unescaped; fails on an evaluation, a bare control character or an unknown escape. */
function readHclStrings(text: string): readonly string[] {
  const simple: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };
  return Array.from(text.matchAll(/"((?:[^"\\]|\\.)*)"/gs), ([, content = '']) => {
    expect(content).not.toMatch(/[$%]\{|[\p{Cc}\p{Cs}]/u);
    return content.replace(/\\(?:u([0-9a-f]{4})|(.))/g, (_escape, code: string | undefined, letter: string) => {
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      expect(Object.keys(simple)).toContain(letter);
      return simple[letter] ?? '';
    });
  });
}
