import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { loadDocument, loadDocumentInTurns, type LoadResult } from './load.ts';
import { printDiagnostics } from './print-diagnostics.ts';

const GOLDEN = resolve(import.meta.dirname, 'golden');
const LINE = /^-{10,}\n/m;
const ENV = { EMPTY: '', SECRET: 'top secret/value', WORKERS: '3', WATCH: 'true', AWS_REQ_IP: '203.0.113.7' };
const FILES: Record<string, string> = {
  '/run/ip': '192.0.2.7\n',
  '/run/empty': '\n',
  '/etc/postern/logo.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
};

function readFile(path: string): string {
  const text = FILES[path];
  if (text !== undefined) return text;
  throw Object.assign(new Error('none'), { code: 'ENOENT' });
}

function load(text: string, env: Record<string, string> = ENV): LoadResult {
  return loadDocument({ text, file: '/etc/postern/postern.yaml', env, readFile });
}

function outcome(text: string): string {
  const { document, diagnostics } = load(text);
  const printed = printDiagnostics(diagnostics, { file: 'postern.yaml' });
  const infinite = (_: string, value: unknown): unknown => (value === Number.POSITIVE_INFINITY ? 'Infinity' : value);
  return document === null ? printed : `${printed}${JSON.stringify(document, infinite, 2)}\n`;
}

suite('loadDocument() keeps its golden files', () => {
  for (const name of globSync('*.txt', { cwd: GOLDEN }).sort()) {
    test(name, () => {
      const file = resolve(GOLDEN, name);
      const text = readFileSync(file, 'utf8');
      const line = LINE.exec(text);
      assert.ok(line, 'a golden file has a line of dashes');
      const input = text.slice(0, line.index);
      const actual = outcome(input);
      if (process.env['GOLDEN'] === 'update') writeFileSync(file, input + line[0] + actual);
      else assert.equal(actual, text.slice(line.index + line[0].length));
      assert.ok(!actual.includes(ENV.SECRET), 'no message shows what a variable holds');
    });
  }
});

test('loadDocument() refuses a second document in place of leaving it out', () => {
  const one = 'version: 1\nhosts:\n  a.example.com: { tls: local, to: "http://127.0.0.1:1", allow: [public] }\n';
  const many = Array.from(
    { length: 2_000 },
    (_, i) => `  h${i}.example.com: { tls: local, respond: "x", allow: [public] }\n`,
  );
  for (const text of [one, `${one}${many.join('')}`]) {
    assert.deepEqual(load(`---\n${text}...\n`).diagnostics, [], 'marks around one document are none');
    const { document, diagnostics } = load(`${text}---\n${text.replaceAll('public', 'nobody')}`);
    assert.equal(document, null);
    assert.deepEqual(
      diagnostics.map(({ message, place }) => [message, place?.line]),
      [['Cannot read YAML: there is more than one document', text.split('\n').length]],
    );
  }
});

test('loadDocument() never shows a part of what a variable holds', () => {
  const keys = [
    'to: "${S}"',
    'to: "http://${S}"',
    'redirect: "${S}"',
    'respond: "${S}"',
    'max_body: "${S}"',
    'host_header: "${S}"',
    'rewrite: "${S}"',
    'strip_prefix: "${S}"',
    'balance: "${S}"',
    'origins: ["${S}"]',
    'health: "${S}"',
    'add_headers: { A: "${S}" }',
    'tls: "${S}"',
  ];
  for (const secret of [
    's3cr3t',
    's3cr3t:99999',
    'http://s3cr3t/p4th',
    '{s3cr3t.x}',
    '4711',
    's3cr3t\nx',
    'wss://s3cr3t',
  ]) {
    for (const key of keys) {
      const text = `hosts:\n  a.example.com:\n    allow: [public]\n    ${key}\n`;
      const printed = printDiagnostics(load(text, { S: secret }).diagnostics, { file: 'p', source: text, color: true });
      assert.doesNotMatch(printed, /s3cr3t|4711|99999|p4th/, `${key} with ${secret}`);
    }
  }
});

test('loadDocument() gives a draft beside the errors, for further checks', () => {
  const { document, draft } = load(
    'hosts:\n  a.example.com: { to: http://app, allow: [public, 5] }\n  b.example.com: { too: x }\n',
  );
  assert.equal(document, null);
  assert.deepEqual(
    draft?.hosts[0]?.routes[0]?.allow.map(({ rule }) => rule),
    ['public'],
  );
});

test('loadDocument() locates a path on demand, and the nearest parent of what is missing', () => {
  const text = 'hosts:\n  a.example.com:\n    to: http://app\n    allow: [public]\n';
  const { locate } = load(text);
  assert.deepEqual(locate(['hosts', 'a.example.com', 'allow', 0]), { line: 4, column: 13 });
  assert.deepEqual(locate(['hosts', 'a.example.com', 'tls']), { line: 2, column: 3 });
  assert.deepEqual(locate(['nowhere']), { line: 1, column: 1 });
});

function largeText(line: string): string {
  let text = 'hosts:\n';
  for (let i = 0; i < 2000; i++) text += `  a${i}.example.com:\n    to: http://127.0.0.1:9001\n    ${line}\n`;
  return text;
}

test('loadDocument() reads a large document the fast way, with substitution', () => {
  const { document, secrets } = load(largeText('allow: ["ip:${AWS_REQ_IP}"]'));
  assert.equal(document?.hosts.length, 2000);
  assert.equal(document?.hosts[1999]?.routes[0]?.allow[0]?.rule, 'ip:203.0.113.7');
  assert.equal(secrets.length, 2000);
});

test('loadDocument() places every problem of a large document', () => {
  const { diagnostics } = load(largeText('alow: ["ip:${UNSET}"]'));
  assert.equal(diagnostics.length, 4000);
  assert.deepEqual(diagnostics.at(-1)?.place, { line: 6001, column: 12 });
});

test('loadDocument() reads 0 and off without quotes', () => {
  const { document } = load(
    'limits: { keep_alive: 0, drain: 0 }\nlisten: { http: off, https: ":0", health: false }\nhosts: { a.b: { respond: 200, allow: public, tls: off } }\n',
  );
  assert.equal(document?.limits.keepAliveMs, 0);
  assert.deepEqual(document?.listen.http, []);
  assert.equal(document?.listen.health, null);
  assert.equal(document?.hosts[0]?.tls.kind, 'off');
});

test('loadDocument() refuses a bomb of aliases and deep nesting', () => {
  let bomb = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
  for (let i = 1; i < 9; i++) bomb += `a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}*a${i - 1}]\n`;
  const started = process.cpuUsage();
  assert.match(
    load(bomb)
      .diagnostics.map(({ message }) => message)
      .join('\n'),
    /too many aliases/,
  );
  const spent = process.cpuUsage(started);
  assert.ok(spent.user + spent.system < 5_000_000);
  assert.match(load(`a: ${'['.repeat(50_000)}`).diagnostics[0]?.message ?? '', /nested too deeply|Cannot read YAML/);
  const nested = load(`a: ${'['.repeat(100)}${']'.repeat(100)}`).diagnostics.map(({ message }) => message);
  assert.match(nested.join('\n'), /nested too deeply/);
});

const FRAGMENTS = [
  'hosts',
  'a.example.com',
  '*.b',
  'to',
  'allow',
  'paths',
  '/x/*',
  'http://app',
  '${SECRET}',
  '$${',
  '{user.name}',
  'default',
  'listen',
  'https',
  ':443',
  'off',
  'limits',
  'tls',
  'services',
  'password',
  'tests',
  'all',
  'when',
  '&a',
  '*a',
  '<<',
  '!!x',
  '__proto__',
  '|',
  '>',
  '-',
  '?',
  '---',
  '#',
];
const token = fc.oneof(
  fc.constantFrom(...FRAGMENTS),
  fc.constantFrom(': ', '\n', '\n  ', '\n    ', ', ', '[', ']', '{ ', ' }', '"', "'", '\t', ' '),
  fc.string({ maxLength: 4 }),
);

test('loadDocument() never throws, whatever the text', () => {
  fc.assert(
    fc.property(
      fc.array(token, { maxLength: 40 }).map((parts) => parts.join('')),
      (text) => {
        const { document, diagnostics } = load(text);
        assert.equal(
          document === null,
          diagnostics.some(({ severity }) => severity === 'error'),
        );
        for (const { place } of diagnostics) assert.ok(place !== null && place.line >= 1 && place.column >= 1);
      },
    ),
    { numRuns: 1500 },
  );
});

test('loadDocument() never throws, whatever the shape', () => {
  const scalar = fc.oneof(fc.constantFrom(...FRAGMENTS), fc.integer(), fc.boolean(), fc.constant(null));
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 5 },
      scalar,
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...KEYS), tie('any'), { maxKeys: 6 }),
    ),
  })).any;
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 8 }), (document) => {
      const result = load(JSON.stringify(document));
      assert.equal(
        result.document === null,
        result.diagnostics.some(({ severity }) => severity === 'error'),
      );
    }),
    { numRuns: 1500 },
  );
});

/** Long enough for the fast reader. */
function manyHosts(count: number, last: string): string {
  let text = 'version: 1\nsign_in: { url: "https://auth.example.com" }\nhosts:\n';
  for (let i = 0; i < count; i++)
    text += `  app${i}.example.com:\n    to: http://127.0.0.1:${1024 + i}\n    allow: ["user:u${i}", "ip:\${FROM}"]\n`;
  return text + last;
}

test('loadDocument() reads 10 000 hosts, each as it is written', () => {
  const { document, secrets } = load(
    manyHosts(10_000, '  last.example.com: { respond: 204, allow: [public], max_body: 1MB }\n'),
    {
      FROM: '192.0.2.1',
    },
  );
  assert.ok(document);
  assert.equal(document.hosts.length, 10_001);
  assert.equal(secrets.length, 10_000);
  const [first, last] = [document.hosts[0], document.hosts[10_000]];
  assert.deepEqual(
    first?.routes[0]?.allow.map(({ rule }) => rule),
    ['user:u0', 'ip:192.0.2.1'],
  );
  assert.equal(last?.routes[0]?.limits.maxBodyBytes, 1_000_000);
  // What hosts inherit is there once, in the messages to workers too.
  assert.equal(document.hosts[9_999]?.routes[0]?.limits, first?.routes[0]?.limits);
  assert.equal(document.hosts[9_999]?.routes[0]?.identityHeaders, first?.routes[0]?.identityHeaders);
});

test('loadDocumentInTurns() comes to the same as loadDocument(), and lets others have their turn', async () => {
  const text = manyHosts(2_000, '  bad.example.com: { to: "http://127.0.0.1", alow: [public], max_body: big }\n');
  const input = { text, file: '/etc/postern/postern.yaml', env: { FROM: '192.0.2.1' }, readFile };
  let turns = 0;
  const look = (): void => {
    turns++;
    immediate = setImmediate(look);
  };
  let immediate = setImmediate(look);
  const { draft, diagnostics, secrets } = await loadDocumentInTurns(input, 0);
  clearImmediate(immediate);
  assert.ok(turns > 30, `${turns} turns`);
  const whole = loadDocument(input);
  assert.ok(diagnostics.length >= 2);
  assert.deepEqual([draft, diagnostics, secrets], [whole.draft, whole.diagnostics, whole.secrets]);
});

test('loadDocument() finds the places of problems among 10 000 hosts as among two', () => {
  const wrong =
    '  a.example.com:\n    to: http://127.0.0.1:1/x\n    alow: [public]\n  b.example.com: { to: ftp://b, allow: [public], respond: }\n';
  const withoutLine = (count: number): unknown[] => {
    const { diagnostics, locate } = load(manyHosts(count, wrong), { FROM: '192.0.2.1' });
    const at = (place: { line: number; column: number } | null): unknown => [
      (place?.line ?? 0) - 3 * count,
      place?.column,
    ];
    const later = [
      ['hosts', 'a.example.com'],
      ['hosts', 'b.example.com', 'allow', 0],
      ['hosts', 'nobody'],
    ];
    return [
      ...diagnostics.map((one) => [one.message, one.remedy, at(one.place)]),
      ...later.map((path) => at(locate(path))),
    ];
  };
  const found = withoutLine(10_000);
  assert.ok(found.length > 5);
  assert.deepEqual(found.slice(0, -1), withoutLine(2).slice(0, -1));
});

const KEYS = [
  'version',
  'listen',
  'http',
  'https',
  'health',
  'address',
  'tls',
  'hosts',
  'default',
  'a.example.com',
  'paths',
  '/x',
  '/x/*',
  'to',
  'url',
  'weight',
  'allow',
  'deny',
  'all',
  'when',
  'redirect',
  'respond',
  'status',
  'body',
  'headers',
  'methods',
  'limits',
  'max_body',
  'services',
  'password',
  'maps',
  'port',
  'tests',
  'as',
  'get',
  'expect',
  'sign_in',
  'session',
  'providers',
  'local',
  'type',
  'upstream_tls',
  'ca',
  'certificate',
  'key',
  'certificates',
  'response',
  'add_headers',
  'remove_headers',
  'strip_prefix',
  'rewrite',
];
