import assert from 'node:assert/strict';
import { test } from 'node:test';
import { probeCertificates, type CaaRecord, type CertificateProbe } from './probe-certificates.ts';
import type { Wanted } from '../certs/issuance/wanted.ts';

const CA = { name: 'letsencrypt', directory: 'https://ca.example/dir', eab: null, profile: null, preferredChain: null };

function wantedOf(name: string, challenges: readonly ('http-01' | 'dns-01' | 'tls-alpn-01')[] = ['http-01']): Wanted {
  const cas = [{ ...CA, rootsPem: null }];
  const policy = { cas, fallbackAfter: 3, keyTypes: ['p256'], challenges, dns: null, onDemand: false } as const;
  return { subject: name, names: [name], keyType: 'p256', policy, at: [] };
}

interface World {
  readonly addresses?: Readonly<Record<string, readonly string[] | Error>>;
  readonly caa?: Readonly<Record<string, readonly CaaRecord[] | Error>>;
  readonly identities?: readonly string[] | Error;
  readonly ports?: readonly number[];
  readonly knock?: 'closed' | 'silent';
}

function probeOf(world: World): CertificateProbe {
  const give = <T>(value: T | Error | undefined, none: T): Promise<T> =>
    value instanceof Error ? Promise.reject(value) : Promise.resolve(value ?? none);
  return {
    dns: {
      addresses: (name) => give(world.addresses?.[name], []),
      caa: (name) => give(world.caa?.[name], []),
    },
    issued: [],
    connect: () => Promise.resolve(world.knock ?? 'open'),
    caaIdentities: () => give(world.identities, ['letsencrypt.org']),
    own: ['203.0.113.1', '2001:db8::1', '10.0.0.9'],
    ports: world.ports ?? [80, 443],
  };
}

async function found(wanted: readonly Wanted[], world: World): Promise<string[]> {
  const all: string[] = [];
  for await (const { kind, message } of probeCertificates(wanted, probeOf(world))) all.push(`${kind}: ${message}`);
  return all;
}

const HERE = { 'a.example.com': ['203.0.113.1'] };

test('probeCertificates() finds nothing where nothing is in the way', async () => {
  assert.deepEqual(await found([wantedOf('a.example.com')], { addresses: HERE }), [
    'good: CA "letsencrypt" answers',
    'good: "a.example.com": nothing in DNS is in the way',
  ]);
});

test('probeCertificates() says where a name leads elsewhere, nowhere, or nobody answers', async () => {
  const [, none] = await found([wantedOf('b.example.com')], {});
  assert.match(none ?? '', /^error: "b\.example\.com" has no address in DNS.*add an A or AAAA record/);
  const [, elsewhere] = await found([wantedOf('a.example.com')], { addresses: { 'a.example.com': ['198.51.100.7'] } });
  assert.match(elsewhere ?? '', /^hint: "a\.example\.com" points to 198\.51\.100\.7, no address of this machine/);
  const mixed = { 'a.example.com': ['203.0.113.1', '2001:db8::99'] };
  const [, also] = await found([wantedOf('a.example.com')], { addresses: mixed });
  assert.match(also ?? '', /^hint: "a\.example\.com" also points to 2001:db8::99/);
  const [, down] = await found([wantedOf('a.example.com')], { addresses: { 'a.example.com': new Error('SERVFAIL') } });
  assert.equal(down, 'error: Cannot look up "a.example.com": SERVFAIL');
  const [, hidden] = await found([wantedOf('a.example.com')], { addresses: { 'a.example.com': ['10.0.0.9'] } });
  assert.match(hidden ?? '', /^hint: "a\.example\.com" points to 10\.0\.0\.9, where a public CA cannot come/);
  const [, port] = await found([wantedOf('a.example.com')], { addresses: HERE, ports: [8080, 8443] });
  assert.match(port ?? '', /^hint: "a\.example\.com" is proved on port 80, but the document does not listen there/);
});

test('probeCertificates() asks for no address of what is proved by DNS', async () => {
  const wanted = [wantedOf('*.example.com', ['dns-01']), wantedOf('c.example.com', ['dns-01'])];
  const all = await found(wanted, { addresses: { 'c.example.com': new Error('never asked') } });
  assert.equal(all.filter((one) => !one.startsWith('good')).length, 0);
});

test('probeCertificates() reads CAA as RFC 8659 says', async () => {
  const issue = (value: string): CaaRecord => ({ tag: 'issue', value });
  const wild = (value: string): CaaRecord => ({ tag: 'issuewild', value });
  const iodef: CaaRecord = { tag: 'iodef', value: 'mailto:x@example.com' };
  const cases: readonly [name: string, caa: Record<string, CaaRecord[]>, isRefused: boolean][] = [
    ['a.example.com', { 'example.com': [issue('letsencrypt.org')] }, false],
    ['a.example.com', { 'example.com': [issue('LetsEncrypt.org; validationmethods=http-01')] }, false],
    ['a.example.com', { 'example.com': [issue('other.example')] }, true],
    ['a.example.com', { 'example.com': [issue(';')] }, true],
    ['a.example.com', { 'example.com': [iodef] }, false],
    ['a.example.com', { 'a.example.com': [issue('letsencrypt.org')], 'example.com': [issue('other.example')] }, false],
    ['a.example.com', { 'a.example.com': [iodef], 'example.com': [issue('other.example')] }, false],
    ['a.example.com', { 'example.com': [wild('other.example')] }, false],
    ['*.example.com', { 'example.com': [wild('other.example'), issue('letsencrypt.org')] }, true],
    ['*.example.com', { 'example.com': [issue('letsencrypt.org')] }, false],
    ['*.example.com', { 'example.com': [wild('letsencrypt.org'), issue(';')] }, false],
    ['a.example.com', { com: [issue('other.example')] }, true],
  ];
  for (const [name, caa, isRefused] of cases) {
    const all = await found([wantedOf(name, ['dns-01'])], { caa });
    const errors = all.filter((one) => one.startsWith('error'));
    assert.equal(errors.length > 0, isRefused, `${name} ${JSON.stringify(caa)} ${all.join('\n')}`);
    if (isRefused) assert.match(errors[0] ?? '', /CAA records of .* let .* alone certify .*letsencrypt\.org/);
  }
  const [, broken] = await found([wantedOf('a.example.com', ['dns-01'])], {
    caa: { 'example.com': new Error('TIMEOUT') },
  });
  assert.match(broken ?? '', /^error: Cannot look up CAA records of "a\.example\.com": TIMEOUT/);
});

test('probeCertificates() names a CA that does not answer, and goes on', async () => {
  const world = { addresses: HERE, identities: new Error('connection refused') };
  assert.deepEqual(await found([wantedOf('a.example.com')], world), [
    'error: Cannot reach CA "letsencrypt": connection refused',
    'good: "a.example.com": nothing in DNS is in the way',
  ]);
});

test('probeCertificates() says where nobody answers at the port that the CA comes to', async () => {
  const closed = await found([wantedOf('a.example.com')], { addresses: HERE, knock: 'closed' });
  assert.match(
    closed[1] ?? '',
    /^hint: Port 80 of 203\.0\.113\.1, where "a\.example\.com" points to, refuses connections/,
  );
  const silent = await found([wantedOf('a.example.com', ['tls-alpn-01'])], { addresses: HERE, knock: 'silent' });
  assert.match(silent[1] ?? '', /^hint: Port 443 of 203\.0\.113\.1.*does not answer from here: a firewall/);
  const byDns = await found([wantedOf('a.example.com', ['dns-01'])], { addresses: HERE, knock: 'silent' });
  assert.ok(!byDns.some((line) => line.includes('Port')), 'nobody comes to a port for dns-01');
});
