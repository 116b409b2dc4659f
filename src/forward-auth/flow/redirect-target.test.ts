import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createDomainList } from './domain-list.ts';
import { safeTarget, type RedirectRules } from './redirect-target.ts';
import { decodeBytes } from './return-address.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 5_000);
const VECTORS = new URL('../../../test/vectors/', import.meta.url);
const OWN = { scheme: 'https', authority: 'app.example.com' } as const;

interface Table {
  readonly whitelist_domains: readonly string[];
  readonly cases: readonly { readonly name: string; readonly rd: string; readonly valid: boolean }[];
}

const table = JSON.parse(readFileSync(new URL('redirect-validator.json', VECTORS), 'utf8')) as Table;
const lines = readFileSync(new URL('open-redirects.txt', VECTORS), 'latin1')
  .split('\n')
  .filter((line) => line !== '');

function rules(...whitelist: readonly string[]): RedirectRules {
  return { whitelist: createDomainList(whitelist), own: OWN };
}

/** Hosts to which `text` leads a browser that is at our host. */
function hostOf(text: string): string {
  return new URL(text, 'https://app.example.com').host;
}

test('safeTarget() decides the table of oauth2-proxy as it does', () => {
  assert.equal(table.cases.length, 57);
  for (const { name, rd, valid } of table.cases)
    assert.equal(safeTarget(rd, rules(...table.whitelist_domains)) !== null, valid, name);
});

/** Addresses of our own host, whose query an app might misuse: where the browser goes is ours. The original refuses them. */
const HARMLESS = /^\/(?:redirect|ReceiveAutoRedirect\/false)?\?\w+=/;
test('safeTarget() leads by none of 558 open redirects to another host, as they stand and decoded (CVE-2020-11053)', () => {
  assert.equal(lines.length, 558);
  let kept = 0;
  for (const line of lines) {
    for (const text of [line, decodeBytes(line) ?? line]) {
      const target = safeTarget(text, rules('www.whitelisteddomain.tld'));
      if (target === null) continue;
      kept++;
      assert.equal(hostOf(target), OWN.authority, text);
      assert.ok(!new URL(target, 'https://app.example.com').pathname.startsWith('//'), text);
      if (text !== line) assert.match(text, HARMLESS);
    }
  }
  assert.ok(kept < 40, `${kept} addresses of our own host are kept`);
});

test('safeTarget() keeps deep links byte for byte, also those that oauth2-proxy loses', () => {
  for (const target of [
    '/',
    '/a/b?x=1&b=2#part',
    '/a%20b/c%2Fd?x=%26&y=%2B',
    '/a//b',
    '/a//b//c/',
    '/?u=https://other.example/x//y',
    '/proxy?to=//host/./x',
    '/search?path=C:\\Users',
    '/web/2020/https://example.org/',
    '/a/...//b',
    '/.well-known/x',
    '/users/CORP%5Cbob',
    '/R&D;v=1/x@y',
    'https://app.example.com/own?x=1',
    'https://app.example.com:443/own',
    'https://wiki.example.com/a//b?next=/c',
  ])
    assert.equal(safeTarget(target, rules('wiki.example.com')), target);
});

test('safeTarget() escapes blanks and other bytes as a browser would, so that nothing breaks a header', () => {
  assert.equal(safeTarget('/a b?c d', rules()), '/a%20b?c%20d');
  assert.equal(safeTarget(Buffer.from('/한국?q=é').toString('latin1'), rules()), '/%ED%95%9C%EA%B5%AD?q=%C3%A9');
  assert.equal(safeTarget('/한', rules()), null, 'takes bytes');
});

test('safeTarget() refuses what browsers or front proxies may read as another host', () => {
  for (const text of [
    '',
    'app.example.com/x',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '/ /evil.example',
    '/a/../..//evil.example',
    '/%2e%2e//evil.example',
    '/a/%2E%2e/%2e%2e//evil.example',
    '/..//evil.example',
    '/%2f/evil.example',
    '/%2fevil.example',
    '/%5cevil.example',
    '/%09/evil.example',
    '/x%0d%0aSet-Cookie:a',
    '/x\r\nSet-Cookie: a=b',
    '/x\u0000',
    '/x\u007f',
    '/https://evil.example',
    'javascript:alert(1)',
    'JavaScript://app.example.com/%0aalert(1)',
    'data:text/html,x',
    'ftp://app.example.com/',
    'HTTPS://app.example.com/',
    'https:app.example.com',
    'https:/app.example.com',
    'https:///app.example.com',
    'https://app.example.com@evil.example/',
    'https://evil.example\\@app.example.com/',
    'https://user@app.example.com/',
    'https://user:p@app.example.com/',
    'https://app.example.com.evil.example/',
    'https://evilapp.example.com/',
    'https://app.example.com%2eevil.example/',
    'https://app.example.com%00.evil.example/',
    'https://app.example.com\u0000.evil.example/',
    'https://app.example.com\\.evil.example/',
    'https://app.example.com#@evil.example/'.replace('#', '%23'),
    'https://evil。example/',
    'https://ａpp.example.com/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://app.example.com:8443/',
    'https://app.example.com:99999/',
    'https://app.example.com:/x',
    'http://app.example.com/',
    'https://[::1]/',
    `/${'a'.repeat(6_000)}`,
  ])
    assert.equal(safeTarget(text, rules('0x7f.1', '*.other.example')), null, text);
});

test('safeTarget() knows its own host with its port, and never goes from https to http', () => {
  const at = (scheme: 'http' | 'https', authority: string): RedirectRules => ({
    ...rules(),
    own: { scheme, authority },
  });
  assert.ok(safeTarget('http://localhost:4180/x', at('http', 'localhost:4180')));
  assert.ok(
    safeTarget('https://app.example.com/x', at('http', 'app.example.com')),
    'TLS may be hidden by the front proxy',
  );
  assert.ok(safeTarget('https://APP.example.com/x', at('https', 'app.example.com')));
  assert.ok(safeTarget('https://[::1]:8443/x', at('https', '[::1]:8443')));
  assert.equal(safeTarget('http://app.example.com/x', at('https', 'app.example.com')), null);
  assert.equal(safeTarget('http://localhost:4181/x', at('http', 'localhost:4180')), null);
  assert.equal(safeTarget('https://x/', at('https', 'a b')), null);
});

test('createDomainList() takes the scheme’s own port for an entry without one, spelled out or not', () => {
  const list = createDomainList(['a.test', 'b.test:8443', '.c.test:*', '[::1]:8080', '', ':8080', '*', 'x:y:z']);
  assert.ok(list.has('a.test', 443, 443));
  assert.ok(list.has('a.test', null, 80));
  assert.ok(!list.has('a.test', 80, 443));
  assert.ok(list.has('b.test', 8443, 443));
  assert.ok(!list.has('b.test', null, 443));
  assert.ok(list.has('c.test', 1, 443) && list.has('a.b.c.test', null, 443));
  assert.ok(!list.has('evilc.test', null, 443));
  assert.ok(list.has('[::1]', 8080, 80));
  assert.ok(!list.has('anything.test', null, 443));
  assert.ok(!list.has('', null, 443));
});

const PIECES = [
  '/',
  '//',
  '\\',
  '.',
  '..',
  '%2f',
  '%5c',
  '%2e',
  '%09',
  '%0a',
  '%00',
  '\t',
  '\n',
  '\r',
  ' ',
  '\u000b',
  '\u00a0',
  '@',
  ':',
  '?',
  '#',
  'https:',
  'http://',
  'javascript:',
  'evil.example',
  'app.example.com',
  'www.example.com',
  '[::1]',
  'a',
  '%61',
  '&',
  ';',
  '<',
  '\u3002',
  '\uff0f',
  '\u2044',
  'é',
  '1',
  '0x7f',
  ':443',
  ':80',
  '%',
  '%25',
];

test('safeTarget() never leads a browser to another host, whatever it is made of', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(anything, (text) => {
      const target = safeTarget(text, rules('.example.com'));
      if (target === null) return;
      assert.match(target, /^[\u0021-\u007e]+$/);
      for (const base of ['https://app.example.com/oauth2/callback?x=1', 'https://app.example.com/']) {
        const url = new URL(target, base);
        assert.match(url.host, /^(?:[^:]+\.)?example\.com$/, text);
        assert.match(url.protocol, /^https?:$/);
        assert.equal(url.username + url.password, '');
        assert.ok(!target.startsWith('/') || !url.pathname.startsWith('//'), text);
      }
    }),
    { numRuns: RUNS },
  );
});
