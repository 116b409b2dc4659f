import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { APP, AUTH, createRig } from './_rig.ts';
import { returnPathOr, safeReturnPath, splitUrl } from './return-path.ts';

const VECTORS = resolve(import.meta.dirname, '../../test/vectors');
const lines = readFileSync(`${VECTORS}/open-redirects.txt`, 'latin1')
  .split('\n')
  .filter((line) => line !== '');
const table = JSON.parse(readFileSync(`${VECTORS}/redirect-validator.json`, 'utf8')) as {
  cases: { rd: string; valid: boolean }[];
};

/** As received, percent-decoded, and decoded twice. */
function spellings(line: string): string[] {
  const decode = (text: string): string =>
    text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return [...new Set([line, decode(line), decode(decode(line)), `/${line}`, `/${decode(line)}`])];
}

const everything = [...lines.flatMap(spellings), ...table.cases.flatMap((it) => spellings(it.rd))];

test('The vectors are all there', () => {
  assert.equal(lines.length, 558);
  assert.equal(table.cases.length, 57);
});

test('safeReturnPath() refuses every open-redirect vector or keeps it on its own host', () => {
  for (const text of everything) {
    const path = safeReturnPath(text, APP);
    if (path === null) continue;
    for (const location of [APP + path, path]) {
      const resolved = new URL(location, `${APP}/.postern/land?code=x`);
      assert.equal(resolved.origin, APP, JSON.stringify(text));
      assert.equal(resolved.username, '');
    }
  }
});

test('No open-redirect vector leaves our hosts by way of start, ticket, code and landing', async () => {
  const rig = createRig();
  try {
    await rig.addAccount('alice', 'correct horse battery');
    const browser = rig.browser();
    await browser.signInOn(await browser.open(`${AUTH}/`), 'alice', 'correct horse battery');
    const ours = new Set([APP, AUTH]);
    for (const text of [...lines, ...table.cases.map((it) => it.rd)]) {
      rig.advance(61_000);
      for (const url of [
        `${APP}/.postern/start?to=${encodeURIComponent(text)}`,
        `${APP}/.postern/start?to=${text.replaceAll('#', '%23')}`,
      ]) {
        let page = await browser.send(url);
        for (let hops = 0; page.headers.has('location'); hops++) {
          assert.ok(hops < 6);
          const next = new URL(page.headers.get('location') ?? '', page.url);
          assert.ok(ours.has(next.origin), `${JSON.stringify(text)} led to ${next.href}`);
          const raw = page.headers.get('location') ?? '';
          page = await browser.send(raw.startsWith('/') ? new URL(page.url).origin + raw : raw);
        }
      }
    }
  } finally {
    rig.close();
  }
});

test('No redirect parameter of any name has an effect on the other pages', async () => {
  const rig = createRig();
  try {
    await rig.addAccount('alice', 'correct horse battery');
    const browser = rig.browser();
    await browser.signInOn(await browser.open(`${AUTH}/`), 'alice', 'correct horse battery');
    for (const name of ['rd', 'to', 'next', 'url', 'return_to', 'redirect_uri', 'continue']) {
      for (const path of ['/.postern/sign-in', '/.postern/signed-out', '/']) {
        const page = await browser.send(`${AUTH}${path}?${name}=https://evil.example/`, {
          headers: {
            'x-auth-request-redirect': 'https://evil.example',
            'x-forwarded-host': 'evil.example',
            'x-forwarded-proto': 'http',
          },
        });
        const location = page.headers.get('location');
        if (location !== null) assert.equal(new URL(location, AUTH).origin, AUTH);
        assert.ok(!page.text.includes('evil.example'));
      }
    }
  } finally {
    rig.close();
  }
});

test('safeReturnPath() keeps what it lets through byte for byte and on its host', () => {
  const origins = [APP, 'http://localhost:8080', 'https://[::1]:8443'];
  const piece = fc.constantFrom(
    '/',
    '\\',
    '.',
    '..',
    '%2e',
    '@',
    ':',
    '//',
    '\t',
    '\n',
    '?',
    '#',
    'a',
    'evil.com',
    '%2f',
    '\u00ff',
    ' ',
    ';',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), fc.constantFrom(...origins), (pieces, origin) => {
      const text = `/${pieces.join('')}`;
      const path = safeReturnPath(text, origin);
      if (path === null) return;
      assert.equal(path, text);
      assert.equal(new URL(path, origin).origin, origin);
      assert.equal(new URL(origin + path).origin, origin);
      assert.doesNotThrow(() => new Headers({ location: origin + path }));
    }),
    { numRuns: 2_000 },
  );
});

test('returnPathOr() drops a query that is too long, and never loops into our own pages', () => {
  assert.equal(returnPathOr('/a', '?x=1', APP), '/a?x=1');
  assert.equal(returnPathOr('/a', `?${'x'.repeat(9_000)}`, APP), '/a');
  for (const path of [
    '/.postern/start',
    '/.postern',
    '/.POSTERN/sign-out',
    '/x/../.postern/land',
    '/%2epostern/land',
    '//evil.com',
    '/\\evil.com',
    'https://evil.com/',
  ]) {
    assert.ok(['/', path].includes(returnPathOr(path, '', APP)), path);
    if (path !== '/%2epostern/land') assert.equal(returnPathOr(path, '', APP), '/', path);
  }
  assert.equal(returnPathOr('/.posternish', '', APP), '/.posternish');
});

test('splitUrl() leaves path and query as they are', () => {
  assert.deepEqual(splitUrl("https://APP.example.com:443/a%20b/../c?x='1'|\"&y=\\"), {
    origin: APP,
    host: 'app.example.com',
    isSecure: true,
    path: '/a%20b/../c',
    query: "?x='1'|\"&y=\\",
  });
  assert.equal(splitUrl('http://[::1]:8080').path, '/');
  assert.equal(splitUrl('http://[::1]:8080/?').query, '?');
});
