import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadDocument } from '../load.ts';

/** What each route of the host takes out of requests. */
function removed(host: string): readonly (readonly string[])[] {
  const text = `version: 1\nhosts:\n  a.example.com:\n    tls: local\n${host.replaceAll(/^/gm, '    ')}\n`;
  const { document, diagnostics } = loadDocument({ text, file: 'postern.yaml', env: {}, readFile: () => '' });
  assert.deepEqual(diagnostics, []);
  return document?.hosts[0]?.routes.map((route) => route.requestHeaders.remove) ?? [];
}

const ALL = ['x-http-method-override', 'x-http-method', 'x-method-override'];

test('withoutOverrides() drops the fields on every route of a host that tells methods apart, and on no other', () => {
  const open = '{ to: "http://app", allow: [public] }';
  assert.deepEqual(removed(`to: http://app\nallow: [public]`), [[]]);
  assert.deepEqual(removed(`paths:\n  /a: ${open}\n  /*: { to: "http://app", methods: [GET], allow: [public] }`), [
    ALL,
    ALL,
  ]);
  assert.deepEqual(removed(`to: http://app\nallow: [{ when: 'method == "GET"' }]`), [ALL]);
  assert.deepEqual(
    removed(`to: http://app\nallow: [public]\ndeny: [{ all: ["ip:192.0.2.1", { when: 'method != "GET"' }] }]`),
    [ALL],
  );
  assert.deepEqual(removed(`to: http://app\nallow: [{ when: 'path == "/methods"' }]`), [[]]);
  assert.deepEqual(removed(`to: http://app\nmethods: [GET]\nremove_headers: [X-B, X-HTTP-Method]\nallow: [public]`), [
    ['x-b', 'x-http-method', 'x-http-method-override', 'x-method-override'],
  ]);
});
