import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isPublicName,
  nameSetOf,
  planCertificates,
  subjectOf,
  type AcmeDocument,
  type AcmePolicy,
  type NeedyHost,
} from './wanted.ts';

const HTTP: AcmePolicy = {
  cas: [],
  fallbackAfter: 3,
  keyTypes: ['p256'],
  challenges: ['http-01'],
  dns: null,
  onDemand: false,
};
const DNS: AcmePolicy = { ...HTTP, challenges: ['dns-01', 'http-01'], dns: 'hook' };

function plan(policy: AcmePolicy, names: readonly string[], lists: readonly string[][] = []): string[] {
  const hosts: NeedyHost[] = names.map((name) => ({ name, policy, at: ['hosts', name] }));
  const certificates = lists.map((list) => ({ names: list, at: ['acme', 'certificates'] }));
  const acme: AcmeDocument = { email: null, policy, hosts: {}, certificates };
  const { wanted, diagnostics } = planCertificates(hosts, acme);
  return [...wanted.map((one) => one.subject), ...diagnostics.map((one) => `! ${one.message}`)];
}

test('planCertificates() wants one certificate for each host', () => {
  assert.deepEqual(plan(HTTP, ['a.example.com', 'b.example.com']), ['a.example.com', 'b.example.com']);
});

test('planCertificates() lets a wildcard cover the hosts right below it, and only these', () => {
  const names = ['a.example.com', '*.example.com', 'x.y.example.com', 'example.com'];
  assert.deepEqual(plan(DNS, names), ['*.example.com', 'x.y.example.com', 'example.com']);
});

test('planCertificates() leaves a host its own certificate where it says something of its own', () => {
  const own = { ...DNS, keyTypes: ['p384'] } as const;
  const hosts = [
    { name: '*.example.com', policy: DNS, at: [] },
    { name: 'a.example.com', policy: own, at: [] },
  ];
  const { wanted } = planCertificates(hosts, { email: null, policy: DNS, hosts: {}, certificates: [] });
  assert.deepEqual(
    wanted.map((one) => one.subject),
    ['*.example.com', 'a.example.com'],
  );
});

test('planCertificates() wants two certificates for a host with two kinds of key, after the first of every host', () => {
  const both = { ...HTTP, keyTypes: ['p256', 'rsa2048'] } as const;
  assert.deepEqual(plan(both, ['a.example.com', 'b.example.com'], [['c.example.com', 'd.example.com']]), [
    'c.example.com d.example.com',
    'a.example.com',
    'b.example.com',
    'c.example.com d.example.com (rsa)',
    'a.example.com (rsa)',
    'b.example.com (rsa)',
  ]);
  assert.deepEqual(plan({ ...HTTP, keyTypes: ['rsa4096'] }, ['a.example.com']), ['a.example.com (rsa)']);
});

test('planCertificates() says that a wildcard needs DNS, and orders for its hosts meanwhile', () => {
  const [first, second] = plan(HTTP, ['*.example.com', 'a.example.com']);
  assert.equal(first, 'a.example.com');
  assert.match(second ?? '', /^! No certificate can be ordered for "\*\.example\.com"/);
});

test('planCertificates() puts the names of a list together, and gives hosts in it none of their own', () => {
  const lists = [
    ['example.com', '*.example.com'],
    ['z.example.org', 'y.example.org'],
  ];
  const names = ['a.example.com', 'example.com', 'y.example.org', 'other.example.org'];
  assert.deepEqual(plan(DNS, names, lists), [
    '*.example.com example.com',
    'y.example.org z.example.org',
    'other.example.org',
  ]);
});

test('subjectOf() is the same for the same names in any order', () => {
  assert.equal(subjectOf(['b', 'a', 'b'], false), subjectOf(['a', 'b'], false));
  assert.equal(nameSetOf(subjectOf(['b', 'a'], true)), subjectOf(['a', 'b'], false));
});

test('isPublicName() is true for what a public CA may certify', () => {
  for (const name of ['a.example.com', '*.example.com', '203.0.113.7', '2001:db8::1'])
    assert.ok(isPublicName(name), name);
  for (const name of ['intranet', '10.1.2.3', '127.0.0.1', '192.168.0.1', '::1', 'fd00::1', 'fe80::1'])
    assert.ok(!isPublicName(name), name);
});
