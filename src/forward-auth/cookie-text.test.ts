import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCookieText, isWithinDomain } from './cookie-text.ts';

const PLAIN = { domains: [], path: '/', secure: true, httpOnly: true, sameSite: '', csrfSameSite: '' } as const;

test('session() writes the attributes of oauth2-proxy in its order', () => {
  const text = createCookieText({ ...PLAIN, domains: ['.example.com'], sameSite: 'lax' });
  assert.equal(
    text.session('_oauth2_proxy', 'v', 'app.example.com', 604_800_000),
    '_oauth2_proxy=v; Path=/; Domain=example.com; Max-Age=604800; HttpOnly; Secure; SameSite=Lax',
  );
});

test('session() leaves out what is not set, and Max-Age for a cookie of the browser session', () => {
  const text = createCookieText({ ...PLAIN, secure: false, httpOnly: false, path: '/app' });
  assert.equal(text.session('s', 'v', 'a.test', null), 's=v; Path=/app');
  assert.equal(text.session('s', '', 'a.test', 0), 's=; Path=/app; Max-Age=0');
});

test('csrf() has its own SameSite where that is set, and is never for scripts', () => {
  const own = createCookieText({ ...PLAIN, httpOnly: false, sameSite: 'strict', csrfSameSite: 'none' });
  assert.equal(
    own.csrf('s_csrf', 'v', 'a.test', 900_000),
    's_csrf=v; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=None',
  );
  const same = createCookieText({ ...PLAIN, sameSite: 'lax' });
  assert.match(same.csrf('s_csrf', 'v', 'a.test', 900_000), /SameSite=Lax$/);
});

test('session() chooses the longest domain that holds the host, by whole labels (GHSA-4mf2)', () => {
  const text = createCookieText({ ...PLAIN, domains: ['example.com', '.apps.example.com', 'other.test'] });
  const domainOf = (host: string): string | undefined => /Domain=([^;]+)/.exec(text.session('s', 'v', host, null))?.[1];
  assert.equal(domainOf('a.apps.example.com'), 'apps.example.com');
  assert.equal(domainOf('APPS.example.com'), 'apps.example.com');
  assert.equal(domainOf('www.example.com'), 'example.com');
  assert.equal(domainOf('x.other.test'), 'other.test');
  assert.equal(domainOf('evilexample.com'), 'other.test', 'none holds it: the shortest, which the browser refuses');
});

test('session() gives __Host- cookies neither domain nor path, and both prefixes Secure', () => {
  const text = createCookieText({ ...PLAIN, domains: ['example.com'], path: '/x', secure: false });
  assert.equal(text.session('__Host-s', 'v', 'a.example.com', null), '__Host-s=v; Path=/; HttpOnly; Secure');
  assert.equal(
    text.session('__Secure-s', 'v', 'a.example.com', null),
    '__Secure-s=v; Path=/x; Domain=example.com; HttpOnly; Secure',
  );
});

test('isWithinDomain() matches whole labels only', () => {
  assert.ok(isWithinDomain('example.com', '.example.com'));
  assert.ok(isWithinDomain('a.b.example.com.', 'Example.com'));
  for (const host of ['evilexample.com', 'example.com.evil.test', 'com', '', 'example.comx'])
    assert.ok(!isWithinDomain(host, 'example.com'), host);
});

test('sweep() removes a cookie from every domain and path that it may have come from', () => {
  const text = createCookieText({ ...PLAIN, domains: ['example.com', 'other.test'], secure: false });
  assert.deepEqual(text.sweep('s_csrf', 'a.example.com', ['/oauth2']), [
    's_csrf=; Path=/; Max-Age=0; HttpOnly',
    's_csrf=; Path=/; Domain=example.com; Max-Age=0; HttpOnly',
    's_csrf=; Path=/oauth2; Max-Age=0; HttpOnly',
    's_csrf=; Path=/oauth2; Domain=example.com; Max-Age=0; HttpOnly',
  ]);
  assert.deepEqual(text.sweep('__Host-s', 'a.example.com', ['/oauth2']), [
    '__Host-s=; Path=/; Max-Age=0; HttpOnly; Secure',
  ]);
});
