import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadDocument } from '../load.ts';
import type { Acme } from '../document/acme.ts';

function acmeOf(text: string): Acme {
  const readFile = (): string => '-----BEGIN CERTIFICATE-----\n';
  const env = new Map([['HMAC', 'dGhpcyBpcyBhIHRlc3Qga2V5']]);
  const { document, diagnostics } = loadDocument({ text, file: '/etc/postern.yaml', env, readFile });
  assert.deepEqual(
    diagnostics.filter((one) => one.severity === 'error').map((one) => one.message),
    [],
  );
  assert.ok(document?.acme);
  return document.acme;
}

const HOST = '{ respond: 200, allow: [public] }';

test("readAcme() fills in what is usual: Let's Encrypt, P-256, the challenges that the listeners allow", () => {
  const { email, policy, hosts, certificates } = acmeOf(
    `acme: { email: ops@example.com }\nhosts: { a.example.com: ${HOST} }`,
  );
  assert.equal(email, 'ops@example.com');
  assert.deepEqual(
    policy.cas.map((ca) => [ca.name, ca.directory]),
    [["Let's Encrypt", 'https://acme-v02.api.letsencrypt.org/directory']],
  );
  assert.deepEqual(
    [policy.keyTypes, policy.challenges, policy.fallbackAfter],
    [['p256'], ['http-01', 'tls-alpn-01'], 3],
  );
  assert.deepEqual([hosts, certificates], [{}, []]);
  const only = acmeOf(`listen: { https: ":8443" }\nacme: {}\nhosts: { a.example.com: ${HOST} }`);
  assert.deepEqual(only.policy.challenges, ['tls-alpn-01']);
});

test('readAcme() reads two kinds of key, ECDSA first, and a host that wants one only', () => {
  const { policy, hosts } = acmeOf(`acme: { key_type: [rsa2048, p256] }
hosts:
  a.example.com: ${HOST}
  b.example.com: { tls: { acme: { key_type: p384 } }, respond: 200, allow: [public] }
  c.example.com: { tls: { acme: { profile: shortlived } }, respond: 200, allow: [public] }`);
  assert.deepEqual(policy.keyTypes, ['p256', 'rsa2048']);
  assert.deepEqual(hosts['b.example.com']?.keyTypes, ['p384']);
  assert.deepEqual(hosts['c.example.com']?.keyTypes, ['p256', 'rsa2048']);
});

test('readAcme() reads CAs that step in, with what they hand out', () => {
  const { policy } = acmeOf(
    `acme: { profile: classic, fallback_after: 5, fallback: [{ ca: zerossl, eab: { key_id: k1, hmac_key: "\${HMAC}" } }, { ca: "https://ca.internal/dir", roots: own.pem }] }
hosts: { a.example.com: ${HOST} }`,
  );
  assert.deepEqual(
    policy.cas.map(({ name, profile, rootsFile }) => [name, profile, rootsFile]),
    [
      ["Let's Encrypt", 'classic', null],
      ['ZeroSSL', null, null],
      ['ca.internal', null, '/etc/own.pem'],
    ],
  );
  assert.deepEqual(policy.cas[1]?.eab, { keyId: 'k1', hmacKey: 'dGhpcyBpcyBhIHRlc3Qga2V5' });
  assert.equal(policy.fallbackAfter, 5);
});

test('readAcme() lets a host differ: what it says adds to the document, another CA starts from nothing', () => {
  const { policy, hosts } =
    acmeOf(`acme: { profile: classic, preferred_chain: X1, fallback: { ca: "https://two.internal/dir" } }
hosts:
  a.example.com: ${HOST}
  b.example.com: { tls: { acme: { profile: shortlived, key_type: rsa2048 } }, respond: 200, allow: [public] }
  c.example.com: { tls: { acme: { ca: "https://ca.internal/acme/directory", challenges: http-01 } }, respond: 200, allow: [public] }`);
  assert.deepEqual(Object.keys(hosts), ['b.example.com', 'c.example.com']);
  const { cas, keyTypes, challenges } = hosts['b.example.com'] ?? policy;
  assert.deepEqual(
    cas.map((ca) => [ca.name, ca.profile, ca.preferredChain]),
    [
      ["Let's Encrypt", 'shortlived', 'X1'],
      ['two.internal', null, null],
    ],
  );
  assert.deepEqual([keyTypes, challenges], [['rsa2048'], ['http-01', 'tls-alpn-01']]);
  const other = hosts['c.example.com'] ?? policy;
  assert.deepEqual(
    other.cas.map((ca) => [ca.name, ca.profile, ca.preferredChain]),
    [['ca.internal', null, null]],
  );
  assert.deepEqual(other.challenges, ['http-01']);
});

test('readAcme() takes the only DNS provider by itself, and dns-01 first', () => {
  const dns = 'dns: { hook: { type: webhook, url: "https://hook.internal/", token: t } }';
  const two =
    'dns: { a: { type: webhook, url: "https://a.internal/", token: t }, b: { type: webhook, url: "https://b.internal/", token: t } }';
  const one = acmeOf(`acme: {}\n${dns}\nhosts: { a.example.com: ${HOST} }`).policy;
  assert.deepEqual([one.dns, one.challenges], ['hook', ['dns-01', 'http-01', 'tls-alpn-01']]);
  const none = acmeOf(`acme: {}\n${two}\nhosts: { a.example.com: ${HOST} }`).policy;
  assert.deepEqual([none.dns, none.challenges], [null, ['http-01', 'tls-alpn-01']]);
  const own = acmeOf(
    `acme: { dns: a }\n${two}\nhosts: { "*.example.com": { tls: { acme: { dns: b } }, respond: 200, allow: [public] } }`,
  );
  assert.deepEqual([own.policy.dns, own.hosts['*.example.com']?.dns], ['a', 'b']);
});

test('readAcme() reads lists of names that share a certificate', () => {
  const { certificates } = acmeOf(
    `acme: { certificates: [[example.com, WWW.example.com., example.com]] }\nhosts: { a.example.com: ${HOST} }`,
  );
  assert.deepEqual(
    certificates.map((one) => one.names),
    [['example.com', 'www.example.com']],
  );
});
