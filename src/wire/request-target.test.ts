import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseAuthority } from './authority.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';
import { parsePathAndQuery, parseRequestTarget } from './request-target.ts';

function ruleOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof HttpSyntaxError, String(error));
    return error.rule;
  }
  return 'accepted';
}

test('parseRequestTarget() gives one spelling for one path', () => {
  const spellings: [string, string][] = [
    ['/', '/'],
    ['/a/b.c/~d', '/a/b.c/~d'],
    ["/!$&'()*+,;=:@", "/!$&'()*+,;=:@"],
    ['/%61%7e%2D', '/a~-'],
    ['/%c3%a9', '/%C3%A9'],
    ['/%25%32%65', '/%252e'],
    ['/%252e%252e/a', '/%252e%252e/a'],
    ['/a//b///c', '/a/b/c'],
    ['//evil.example/x', '/evil.example/x'],
    ['///', '/'],
    ['/.', '/'],
    ['/./', '/'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/b/..', '/a/'],
    ['/a/b/.', '/a/b/'],
    ['/a/%2e%2e/b', '/b'],
    ['/a/.%2E/b', '/b'],
    ['/a//../b', '/b'],
    ['/.hidden/...', '/.hidden/...'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a|b', '/a%7Cb'],
    ['/[id]', '/%5Bid%5D'],
    ['/%5bid%5D', '/%5Bid%5D'],
    ['/%3f%23', '/%3F%23'],
  ];
  for (const [raw, path] of spellings) assert.equal(parseRequestTarget('GET', raw).path, path, raw);
});

test('parseRequestTarget() marks encoded slashes and never decodes them', () => {
  for (const [raw, path] of [
    ['/a%2fb', '/a%2Fb'],
    ['/a%2Fb', '/a%2Fb'],
    ['/a%5cb', '/a%5Cb'],
    // Not UTF-8, and read as "/" or "\\" by careless decoders.
    ['/a%c0%afb', '/a%C0%AFb'],
    ['/a%C1%9cb', '/a%C1%9Cb'],
    ['/a%e0%80%afb', '/a%E0%80%AFb'],
    ['/a%f0%80%80%afb', '/a%F0%80%80%AFb'],
  ] as const) {
    assert.deepEqual(parseRequestTarget('GET', raw), {
      path,
      query: '',
      hasEncodedSlash: true,
      raw,
      authority: null,
      defaultPort: null,
    });
  }
  assert.equal(parseRequestTarget('GET', '/a%252fb').hasEncodedSlash, false);
  // Names in EUC-KR, GBK or Latin-1 are bytes like any others.
  for (const path of ['/%C0%CE%B1%E2', '/x%C0%AE', '/%E9t%E9', '/%EF%BC%8F'])
    assert.deepEqual(
      [parseRequestTarget('GET', path).path, parseRequestTarget('GET', path).hasEncodedSlash],
      [path, false],
    );
});

test('parseRequestTarget() refuses paths that two readers could read differently', () => {
  const payloads: [string, string][] = [
    ['/..', 'path-climbs'],
    ['/a/../..', 'path-climbs'],
    ['/%2e%2e/etc', 'path-climbs'],
    ['/a/..//../b', 'path-climbs'],
    ['//../b', 'path-climbs'],
    ['/public/..%2fadmin', 'path-dots'],
    ['/public/%2e%2e%5cadmin', 'path-dots'],
    ['/public%2f..%2fadmin', 'path-dots'],
    ['/a%2f.', 'path-dots'],
    ['/a/..;/b', 'path-dots'],
    ['/a/..%3bx/b', 'path-dots'],
    ['/a/.;x', 'path-dots'],
    ['/a/%c0%ae%c0%ae/b', 'path-dots'],
    ['/a/.%C0%AE', 'path-dots'],
    ['/a/%e0%80%ae./b', 'path-dots'],
    ['/a/%f0%80%80%ae%C0%AE;x/b', 'path-dots'],
    ['/a/..%c0%afb', 'path-dots'],
    ['/a/..%c1%9cb', 'path-dots'],
    ['/a/..%e0%80%afb', 'path-dots'],
    ['/a\\b', 'path-character'],
    ['/a\\..\\b', 'path-character'],
    ['/a#b', 'path-character'],
    ['/a b', 'path-character'],
    ['/\xe9', 'path-character'],
    ['/\0', 'path-character'],
    ['/\x7f', 'path-character'],
    ['/%zz', 'path-escape'],
    ['/%', 'path-escape'],
    ['/%4', 'path-escape'],
    ['/% 1', 'path-escape'],
    ['/%00', 'path-nul'],
    ['/?a b', 'query-character'],
    ['/?a#b', 'query-character'],
    ['/?\xe9', 'query-character'],
    ['/?\n', 'query-character'],
    ['', 'target-form'],
    ['a', 'target-form'],
    ['?a', 'target-form'],
    ['*', 'target-asterisk'],
    ['*a', 'target-form'],
    ['example.com:443', 'target-form'],
    ['ftp://example.com/', 'target-form'],
    ['http:/example.com/', 'target-form'],
    ['http://', 'host-empty'],
    ['http:///a', 'host-empty'],
    ['http://a@b/', 'host'],
    ['http://a\\b/', 'path-character'],
    ['http://a#b', 'path-character'],
  ];
  for (const [raw, rule] of payloads) {
    assert.equal(
      ruleOf(() => parseRequestTarget('GET', raw)),
      rule,
      JSON.stringify(raw),
    );
  }
  assert.throws(() => parseRequestTarget('CONNECT', 'a:443'), { status: 405 });
  assert.throws(() => parseRequestTarget('TRACE', '/'), { status: 405 });
  assert.throws(() => parsePathAndQuery('GET', 'http://a/'), { rule: 'target-form' });
});

test('parseRequestTarget() leaves the query byte for byte', () => {
  for (const query of ['?', '?a=%zz&b=%2f..//..\\{|}"<>^`', '?a?b', '?x=/../..']) {
    assert.equal(parseRequestTarget('GET', `/p${query}`).query, query);
  }
});

test('parseRequestTarget() reads absolute and asterisk form', () => {
  const absolute = parseRequestTarget('GET', 'HTTP://Example.com:81/a/../b?q');
  assert.deepEqual(absolute.authority, { host: 'example.com', port: 81 });
  assert.equal(absolute.path + absolute.query, '/b?q');
  assert.equal(parseRequestTarget('GET', 'https://a').defaultPort, 443);
  assert.equal(parseRequestTarget('GET', 'http://a?x').path, '/');
  assert.equal(parseRequestTarget('GET', 'http://a?x').query, '?x');
  assert.equal(parseRequestTarget('OPTIONS', 'http://a').path, '*');
  assert.equal(parseRequestTarget('OPTIONS', '*').path, '*');
});

test('parseAuthority() gives one spelling for one host', () => {
  const spellings: [string, string, number | null][] = [
    ['Example.COM', 'example.com', null],
    ['example.com.', 'example.com', null],
    ['example.com.:8443', 'example.com', 8443],
    ['my_app-1', 'my_app-1', null],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', null],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::1]', '[::1]', null],
    ['[2001:DB8:0::1]:443', '[2001:db8::1]', 443],
  ];
  for (const [text, host, port] of spellings) {
    assert.deepEqual(parseAuthority(text), { host, port }, text);
    assert.deepEqual(parseAuthority(text), { host, port }, `${text}, from the cache`);
  }
});

test('parseAuthority() refuses what is not exactly a host and a port', () => {
  const payloads = [
    '',
    'a@b',
    'a/b',
    'a,b',
    'a b',
    ' a',
    'a:',
    'a:0',
    'a:65536',
    'a:80:80',
    'a:+8',
    'a:8x',
    ':80',
    '.',
  ];
  payloads.push(
    'a..b',
    '.a',
    'a..',
    '%61',
    'a%00',
    'é',
    'a\0',
    'a\\b',
    'a?b',
    'a#b',
    '[::1',
    '::1',
    '[::1]a',
    '[::1]:',
  );
  payloads.push(
    '[fe80::1%25eth0]',
    '[1.2.3.4]',
    '[v1.a]',
    '[]',
    '1.2.3',
    '256.1.1.1',
    '1.2.3.4.5',
    '0x7f.1',
    '0x7f000001',
  );
  payloads.push('2130706433', '01.2.3.4', 'a.123', `${'a'.repeat(64)}.b`, `${'a.'.repeat(127)}aa`, 'a*b', '"a"', 'a;b');
  for (const text of payloads) {
    assert.match(
      ruleOf(() => parseAuthority(text)),
      /^host/,
      JSON.stringify(text),
    );
  }
});

test('parseAuthority() keeps answering when more hosts come than it remembers', () => {
  for (let i = 0; i < 2_500; i++) assert.equal(parseAuthority(`h${i}.example`).host, `h${i}.example`);
});

const piece = fc.constantFrom(
  '/',
  '//',
  '.',
  '..',
  '%2e',
  '%2E%2e',
  '%2f',
  '%5C',
  '%C0%AE',
  '%c0%af',
  'a',
  'B',
  '%61',
  '%25',
  ';',
  '%',
  '|',
);

test('parseRequestTarget() answers a path that stays as it is when read again', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const raw = `/${pieces.join('')}`;
      if (ruleOf(() => parseRequestTarget('GET', raw)) !== 'accepted') return;
      const first = parseRequestTarget('GET', raw);
      assert.deepEqual(parseRequestTarget('GET', first.path), { ...first, raw: first.path });
      assert.doesNotMatch(first.path, /\/\/|\/\.{1,2}(?:\/|$)|%2[eE]/);
    }),
    { seed: 5, numRuns: 5000 },
  );
});

test('parseRequestTarget() and parseAuthority() throw nothing but HttpSyntaxError', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom('', '/', 'http://', '[', 'a:'),
      (text, lead) => {
        ruleOf(() => parseRequestTarget('GET', lead + text));
        ruleOf(() => parseAuthority(lead + text));
      },
    ),
    { seed: 6, numRuns: 3000 },
  );
});
