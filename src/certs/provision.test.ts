import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createFixture, type Fixture } from './_openssl-fixture.ts';
import { readClientAuth } from './client-auth.ts';
import { createCertificateReader } from './files.ts';
import { createLocalCa } from './local-ca.ts';
import { provisionCertificates, type Provisioned, type TlsDocument, type TlsHost } from './provision.ts';
import type { CertificateEntry } from './certificate-set.ts';

let fixture: Fixture;

before(() => {
  fixture = createFixture();
  fixture.make('exact', { names: ['a.example.com'], days: 60 });
  fixture.make('longer', { names: ['a.example.com'], days: 80 });
  fixture.make('rsa', { names: ['a.example.com', 'b.example.com'], kind: 'rsa' });
  fixture.make('wild', { names: ['*.example.com', 'example.com'] });
  fixture.make('ca', { names: [], isCa: true });
});
after(() => fixture.remove());

function files(name: string): { certificate: string; key: string; at: string[] } {
  return { certificate: fixture.path(`${name}.pem`), key: fixture.path(`${name}.key`), at: ['somewhere', name] };
}

function host(name: string, more: Partial<TlsHost> = {}): TlsHost {
  return { name, tls: { kind: 'automatic' }, clientAuth: null, at: ['hosts', name], ...more };
}

async function provision(
  part: Partial<TlsDocument>,
  shared: readonly string[] = [],
  issues = true,
): Promise<Provisioned> {
  const document: TlsDocument = {
    tls: { minVersion: 'TLSv1.2', certificates: shared.map(files) },
    acme: null,
    hosts: [],
    fallback: null,
    signIn: { url: null },
    ...part,
  };
  const clock = { now: () => Date.now() };
  const localCa = issues ? createLocalCa({ directory: fixture.path('local'), clock, onNotice: () => {} }) : null;
  return provisionCertificates(document, {
    readCertificate: createCertificateReader(),
    readClientAuth,
    localCa,
    now: Date.now(),
  });
}

/** What serves a host, as the first name of each certificate with its kind. */
function served({ set }: Provisioned, ids: readonly string[] | undefined): string[] {
  return (ids ?? []).map((id) => {
    const entry = set.certificates.find((one): one is CertificateEntry => one.id === id);
    return `${entry?.names[0]} ${entry?.keyType} ${entry?.source}`;
  });
}

test('an automatic host takes the exact certificates before a wildcard, one of each kind, the longest good', async () => {
  const answer = await provision({ hosts: [host('a.example.com'), host('c.example.com'), host('*.example.com')] }, [
    'wild',
    'exact',
    'longer',
    'rsa',
  ]);
  assert.deepEqual(served(answer, answer.set.hosts.get('a.example.com')), [
    'a.example.com ec file',
    'a.example.com rsa file',
  ]);
  const longer = answer.set.certificates.find(
    (entry) => answer.set.hosts.get('a.example.com')?.includes(entry.id) && entry.keyType === 'ec',
  );
  assert.ok((longer?.notAfter ?? 0) > Date.now() + 79 * 86_400_000);
  assert.deepEqual(served(answer, answer.set.hosts.get('c.example.com')), ['*.example.com ec file']);
  assert.deepEqual(served(answer, answer.set.hosts.get('*.example.com')), ['*.example.com ec file']);
  assert.deepEqual(answer.diagnostics, []);
});

test('a host with files takes those only, and never those of another host', async () => {
  const answer = await provision(
    { hosts: [host('a.example.com', { tls: { kind: 'files', files: files('wild') } }), host('b.example.com')] },
    ['exact'],
  );
  assert.deepEqual(served(answer, answer.set.hosts.get('a.example.com')), ['*.example.com ec file']);
  assert.deepEqual(answer.set.hosts.get('b.example.com'), []);
  assert.match(answer.diagnostics[0]?.message ?? '', /^No certificate for "b\.example\.com"/);
  assert.equal(answer.diagnostics[0]?.severity, 'warning');
});

test('a certificate that does not cover its host is an error that names both', async () => {
  const answer = await provision({ hosts: [host('z.test', { tls: { kind: 'files', files: files('exact') } })] });
  assert.deepEqual(answer.set.hosts.get('z.test'), []);
  const [problem] = answer.diagnostics;
  assert.equal(problem?.code, 'TLS_BAD_CERTIFICATE');
  assert.deepEqual(problem?.path, ['somewhere', 'exact', 'certificate']);
  assert.match(problem?.message ?? '', /exact\.pem" covers "a\.example\.com", but not host "z\.test"$/);
});

test('private names get local certificates; a public one only where the document asks', async () => {
  const hosts = [
    host('a.localhost'),
    host('nas.internal'),
    host('p.example.org'),
    host('q.example.org', { tls: { kind: 'local' } }),
    host('r.test', { tls: { kind: 'off' } }),
  ];
  const answer = await provision({ hosts, signIn: { url: 'https://auth.localhost:8443' } });
  const kinds = [...answer.set.hosts].map(([name, ids]) => `${name}: ${served(answer, ids).join()}`);
  assert.deepEqual(kinds, [
    'a.localhost: a.localhost ec local',
    'nas.internal: nas.internal ec local',
    'p.example.org: ',
    'q.example.org: q.example.org ec local',
    'r.test: ',
    'auth.localhost: auth.localhost ec local',
  ]);
  assert.equal(answer.diagnostics.length, 1);
});

test('the default serves its own names, and alone serves clients that send no name', async () => {
  const answer = await provision({ fallback: host('*', { tls: { kind: 'files', files: files('wild') } }) }, ['rsa']);
  assert.deepEqual([...answer.set.others.keys()], ['*.example.com', 'example.com']);
  assert.deepEqual(served(answer, answer.set.withoutName), ['*.example.com ec file']);
  const without = await provision({}, ['rsa']);
  assert.deepEqual([...without.set.others.keys()], ['a.example.com', 'b.example.com']);
  assert.deepEqual(without.set.withoutName, []);
});

test('a host that is an address is served without a name, with its own client policy', async () => {
  const clientAuth = { caFile: fixture.path('ca.pem'), mode: 'require', at: ['x'] } as const;
  const answer = await provision({ hosts: [host('127.0.0.1', { tls: { kind: 'local' }, clientAuth })] });
  assert.deepEqual(served(answer, answer.set.withoutName), ['127.0.0.1 ec local']);
  assert.equal(answer.set.clientAuth.withoutName, answer.set.clientAuth.policies[0]?.policyId);
  assert.equal(answer.set.clientAuth.others, null);
});

test('client policies: one id for one CA set and mode, and a file that is no CA trusts nobody', async () => {
  const auth = (caFile: string, mode: 'request' | 'require'): TlsHost['clientAuth'] => ({
    caFile: fixture.path(caFile),
    mode,
    at: ['at', caFile],
  });
  const hosts = [
    host('a.test', { clientAuth: auth('ca.pem', 'require') }),
    host('b.test', { clientAuth: auth('ca.pem', 'require') }),
    host('c.test', { clientAuth: auth('ca.pem', 'request') }),
    host('d.test', { clientAuth: auth('exact.pem', 'require') }),
    host('e.test', { clientAuth: auth('missing.pem', 'require') }),
  ];
  const { set, diagnostics } = await provision({ hosts });
  const id = (name: string): string => set.clientAuth.hosts.get(name) ?? '';
  assert.equal(id('a.test'), id('b.test'));
  assert.notEqual(id('a.test'), id('c.test'));
  assert.deepEqual(set.clientAuth.policies.find((policy) => policy.policyId === id('d.test'))?.ca, []);
  assert.deepEqual(
    diagnostics.map((one) => `${one.code} ${one.path.join('.')}`),
    ['TLS_BAD_CERTIFICATE at.exact.pem.ca', 'TLS_BAD_CERTIFICATE at.missing.pem.ca'],
  );
});

test('a set can be posted to a thread, and a mere check issues nothing', async () => {
  const answer = await provision({ hosts: [host('a.localhost'), host('*.localhost')] }, ['wild']);
  assert.deepEqual(structuredClone(answer.set), answer.set);
  assert.match(answer.diagnostics[0]?.message ?? '', /^Many programs refuse a certificate for "\*\.localhost"/);
  const checked = await provision({ hosts: [host('never.localhost')] }, [], false);
  assert.deepEqual(checked.set.certificates, []);
  assert.deepEqual(checked.diagnostics, []);
});

const POLICY = {
  cas: [],
  fallbackAfter: 3,
  keyTypes: ['p256'],
  challenges: ['http-01'],
  dns: null,
  onDemand: false,
} as const;
const ACME = { email: null, policy: POLICY, hosts: {}, certificates: [] };

test('with an acme section a public name is wanted from a CA; private ones, files and "off" are not', async () => {
  const hosts = [
    host('new.example.org'),
    host('a.localhost'),
    host('intranet'),
    host('a.example.com', { tls: { kind: 'files', files: files('exact') } }),
    host('off.example.org', { tls: { kind: 'off' } }),
    host('nas.internal', { tls: { kind: 'acme' } }),
  ];
  const answer = await provision({ hosts, acme: ACME, signIn: { url: 'https://auth.example.org' } });
  assert.deepEqual(
    answer.wanted.map((one) => one.subject),
    ['new.example.org', 'nas.internal', 'auth.example.org'],
  );
  assert.deepEqual(answer.set.hosts.get('new.example.org'), []);
  assert.deepEqual(
    answer.diagnostics.map((one) => one.message),
    ['No certificate for "intranet": its visitors get a TLS error'],
  );
});

test('what tls.certificates has for a name is not ordered; without an acme section nothing is', async () => {
  const answer = await provision({ hosts: [host('b.example.com')], acme: ACME }, ['wild']);
  assert.deepEqual(answer.wanted, []);
  const without = await provision({ hosts: [host('new.example.org')] });
  assert.deepEqual(without.wanted, []);
  assert.match(without.diagnostics[0]?.remedy ?? '', /^add a top-level "acme: \{ email/);
});

test('what a CA has issued serves its host, the exact one before the wildcard', async () => {
  const entry = (id: string, names: string[]): CertificateEntry => {
    const { certificate, key } = files('exact');
    const { entry: read } = createCertificateReader()({ certificate, key, at: [] }, Date.now());
    assert.ok(read !== null);
    return { ...read, id, names, source: 'acme' };
  };
  const all = [entry('w', ['*.example.org']), entry('x', ['a.example.org'])];
  const { set } = await provisionCertificates(
    {
      tls: { minVersion: 'TLSv1.2', certificates: [] },
      acme: ACME,
      hosts: [host('a.example.org'), host('b.example.org'), host('c.example.net')],
      fallback: null,
      signIn: { url: null },
    },
    { readCertificate: createCertificateReader(), readClientAuth, localCa: null, now: Date.now(), issued: () => all },
  );
  assert.deepEqual(
    [...set.hosts].map(([name, ids]) => [name, ...ids]),
    [['a.example.org', 'x'], ['b.example.org', 'w'], ['c.example.net']],
  );
});

test('of many hosts with private names the first get their certificates at once, the others when somebody comes', async () => {
  const names = Array.from({ length: 40 }, (_, i) => `h${i}.test`);
  const answer = await provision({
    tls: { minVersion: 'TLSv1.2', certificates: [], deployTo: [{ name: 'h38.test' }] },
    hosts: [...names, '*.wild.test', 'app.example.org', '127.0.0.9'].map((name) =>
      host(name, name.startsWith('h') ? {} : { tls: { kind: 'local' } }),
    ),
    signIn: { url: 'https://h39.test/' },
  });
  assert.deepEqual(answer.diagnostics, []);
  const { hosts, onVisit } = answer.set;
  // Another program, the sign-in, an extra root that browsers are told of, and a client that names nobody cannot wait.
  const atOnce = [...names.slice(0, 32), 'h38.test', 'h39.test', 'app.example.org', '127.0.0.9'];
  for (const name of atOnce) assert.deepEqual(served(answer, hosts.get(name)), [`${name} ec local`]);
  assert.deepEqual([...onVisit], [...names.slice(32, 38), '*.wild.test']);
  for (const name of onVisit) assert.deepEqual(hosts.get(name), []);
  assert.equal(answer.set.certificates.length, atOnce.length);
});
