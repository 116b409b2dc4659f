import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Document } from './document.ts';
import { loadDocument, type LoadResult } from './load.ts';
import { showDocument } from './show.ts';

const HASH = '$2a$04$Y9TB4NfcOKg5474oY9TB4NfcOKg5474oY9TB4NfcOKg5474oY9TB4';
const TEXT = `
listen: { http: [{ address: ":8080", tls: off }, "[::1]:80"], https: ":8443", proxy_protocol: 10.0.0.0/8 }
workers: 2
sign_in: { url: "https://auth.example.com:8443", name: Example }
session: { lifetime: 24h, cookie_domain: .example.com }
maps: { port: { "local:user:alice": 9001 } }
trusted_proxies: [private, 192.0.2.1]
limits: { connections_per_address: 9, max_body: 512KiB, upstream_idle_timeout: 90s }
tls: { min_version: 1.3, certificates: [{ certificate: a.pem, key: a.key }] }
defaults: { deny: ["ip:192.0.2.0/24"] }
hosts:
  "*.example.com":
    tls: { mode: local }
    allow: [signed-in, { all: ["group:a", { when: "true" }] }]
    paths:
      /a/*: [{ to: "http://h:{map.port}", methods: GET, headers: { X-A: true, X-B: 1 } }, { respond: { status: 503, body: no, headers: { A: b } } }]
      /b: { redirect: "/x{query}", deny: ["user:bob"] }
      /c: { to: "files:www", strip_prefix: /c, rewrite: "/z{path}", upgrades: false, origins: ["https://o.example"] }
  b.example.com: { to: [{ url: "https://[::1]", weight: 3 }, "unix:x.sock"], allow: public, health: /h, max_connections: 7, upstream_tls: { server_name: x.example }, response: { remove_headers: [Server], add_headers: { X: y } } }
default: { to: app:whoami, allow: [public], tls: off }
tests: [{ as: bob, groups: [a], ip: 192.0.2.9, post: "https://a.example.com/", expect: deny }]
`;

function load(text: string, env: Record<string, string> = {}): LoadResult {
  return loadDocument({ text, file: '/etc/postern/postern.yaml', env, readFile: () => '' });
}

/** Places differ between the two texts, and only they. */
function withoutPlaces(document: Document | null): unknown {
  const keep = (key: string, value: unknown): unknown => {
    if (key === 'at') return undefined;
    return value === Number.POSITIVE_INFINITY ? 'Infinity' : value;
  };
  return JSON.parse(JSON.stringify(document, keep));
}

test('showDocument() prints what loads as the same document again', () => {
  const first = load(TEXT);
  assert.deepEqual(
    first.diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  assert.ok(first.document);
  const shown = showDocument(first.document, []);
  const second = load(shown);
  assert.deepEqual(
    second.diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  assert.deepEqual(withoutPlaces(second.document), withoutPlaces(first.document));
});

test('showDocument() masks password hashes and whatever came from a variable', () => {
  const text = `services: { ci: { password: "${HASH}" } }
hosts:
  a.example.com: { to: "http://127.0.0.1:\${PORT}", allow: ["ip:\${FROM}"], add_headers: { Authorization: "Bearer \${TOKEN}" } }`;
  const { document, secrets } = load(text, { PORT: '9001', FROM: '203.0.113.7', TOKEN: 'xyzzy-plugh' });
  assert.ok(document);
  const shown = showDocument(document, secrets);
  assert.doesNotMatch(shown, /9001|203\.0\.113\.7|xyzzy|Y9TB4/);
  assert.match(shown, /Bearer \$\{TOKEN\}/);
  assert.match(shown, /ip:\$\{FROM\}/);
});

test('showDocument() masks the credentials of DNS providers, also where they were written plainly', () => {
  const text = `
dns:
  cloudflare: { type: cloudflare, token: plain-token-1, resolvers: [9.9.9.9] }
  hook: { type: exec, command: [/usr/local/bin/hook], environment: { KEY: plain-token-2 }, propagation_delay: 2m }
  ovh: { type: ovh, region: ca, application_key: plain-token-3, application_secret: plain-token-4, consumer_key: plain-token-5 }
hosts: { a.example.com: { respond: 200, allow: [public] } }`;
  const { document } = load(text);
  assert.ok(document);
  const shown = showDocument(document, []);
  assert.doesNotMatch(shown, /plain-token/);
  assert.match(shown, /cloudflare:\n {4}type: cloudflare\n {4}token: \(secret\)\n {4}resolvers:\n {6}- 9\.9\.9\.9/);
  assert.match(shown, /command:\n {6}- \/usr\/local\/bin\/hook\n {4}environment:\n {6}KEY: \(secret\)/);
  assert.match(shown, /region: ca/);
  assert.match(shown, /propagation_delay: 2m/);
});

test('showDocument() masks a credential that stands in the document itself, and no template', () => {
  const { document, secrets } = load(
    `hosts: { a.example.com: { to: "http://h", allow: [public], add_headers: { Authorization: "Bearer abcdef", X-Api-Key: "k\${KEY}", Cookie: "\${KEY}", X-Token: "{user.name}", X-Team: red } } }`,
    { KEY: 'secret-value-1' },
  );
  assert.ok(document);
  const shown = showDocument(document, secrets);
  assert.doesNotMatch(shown, /abcdef|secret-value-1/);
  assert.match(shown, /Authorization: \(secret\)/);
  assert.match(shown, /X-Api-Key: k\$\{KEY\}/);
  assert.match(shown, /X-Token: "?\{user\.name\}/);
  assert.match(shown, /X-Team: red/);
});
