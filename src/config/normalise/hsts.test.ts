import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadDocument } from '../load.ts';
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { Document } from '../document.ts';

function load(text: string): { document: Document | null; diagnostics: readonly Diagnostic[] } {
  return loadDocument({ text, file: '/etc/postern.yaml', env: new Map(), readFile: () => '' });
}

const READY = 'listen: { https: ":443" }\n';
const HOST = 'respond: 200, allow: [public]';
const YEAR = 365 * 86_400_000;

test('readHsts() is on by itself for public names at the usual port only', () => {
  const { document } = load(`${READY}hosts:
  app.example.com: { ${HOST} }
  "*.example.org": { ${HOST} }
  app.localhost: { ${HOST} }
  nas.internal: { ${HOST} }
  192.0.2.7: { ${HOST}, tls: local }
  local.example.com: { ${HOST}, tls: local }
  off.example.com: { ${HOST}, tls: "off" }
  quiet.example.com: { ${HOST}, hsts: "off" }
default: { ${HOST} }
`);
  assert.ok(document);
  const on = document.hosts.filter((host) => host.hsts !== null).map((host) => host.name);
  assert.deepEqual(on, ['app.example.com', '*.example.org']);
  assert.equal(document.fallback?.hsts, null);
  assert.deepEqual(document.hosts[0]?.hsts, { maxAgeMs: 180 * 86_400_000, includeSubdomains: false, preload: false });

  const elsewhere = load(`listen: { https: ":8443" }\nhosts: { app.example.com: { ${HOST} } }`).document;
  assert.equal(elsewhere?.hosts[0]?.hsts, null, 'another port of the name may have no TLS');
});

test('readHsts() takes what the document says for all, and what a host says instead', () => {
  const { document, diagnostics } = load(`${READY}tls: { hsts: { max_age: 365d, include_subdomains: true } }
sign_in: { url: "https://auth.example.com" }
providers: { local: { type: local } }
hosts:
  app.localhost: { ${HOST} }
  own.example.com: { ${HOST}, hsts: { max_age: 1h } }
  usual.example.com: { ${HOST}, hsts: automatic }
`);
  assert.deepEqual(diagnostics, []);
  const all = { maxAgeMs: YEAR, includeSubdomains: true, preload: false };
  assert.deepEqual(
    document?.hosts.map((host) => host.hsts),
    [
      all,
      { maxAgeMs: 3_600_000, includeSubdomains: false, preload: false },
      { maxAgeMs: 180 * 86_400_000, includeSubdomains: false, preload: false },
    ],
  );
  assert.deepEqual(document?.tls.signInHsts, all);
});

test('readHsts() warns before the preload list, and refuses what that list would refuse', () => {
  const { document, diagnostics } = load(
    `${READY}tls: { hsts: { max_age: 730d, include_subdomains: true, preload: true } }\nhosts: { a.example.com: { ${HOST} } }`,
  );
  assert.equal(document?.hosts[0]?.hsts?.preload, true);
  assert.match(
    diagnostics.map((one) => `${one.severity} ${one.message} ${one.remedy}`).join(),
    /^warning .*preload.*leaving the list takes months/,
  );
  for (const hsts of ['{ preload: true }', '{ max_age: 30d, include_subdomains: true, preload: true }']) {
    const bad = load(`${READY}tls: { hsts: ${hsts} }\nhosts: { a.example.com: { ${HOST} } }`);
    assert.match(
      bad.diagnostics.map((one) => `${one.severity} ${one.message}`).join(),
      /^error .*needs "include_subdomains: true"/,
    );
  }
  const off = load(`${READY}hosts: { a.example.com: { ${HOST}, tls: "off", hsts: { max_age: 1d } } }`);
  assert.match(off.diagnostics.map((one) => one.message).join(), /hsts needs TLS/);
});
