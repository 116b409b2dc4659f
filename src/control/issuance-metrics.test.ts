import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_CERTIFICATE_SET } from '../certs/certificate-set.ts';
import { subjectOf, type KeyType } from '../certs/issuance/wanted.ts';
import { issuanceWarnings } from './issuance-metrics.ts';
import type { CertificateEntry, CertificateSet } from '../certs/certificate-set.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';

const NOW = Date.parse('2026-11-28T00:00:00Z');
const LATER = Date.parse('2027-01-15T12:00:00Z');

/** Of one order that fails, as nothing was issued for it. */
function warningFor(keyTypes: readonly KeyType[], keyType: KeyType, names: string[], set: CertificateSet): string {
  const wanted = { names, keyType, policy: { keyTypes }, subject: subjectOf(names, false), at: [] };
  const problem = { message: 'Cannot order', at: NOW };
  const status = [{ wanted, issued: null, isOrdering: false, progress: null, failures: 2, problem, nextAt: 0 }];
  const [line = ''] = issuanceWarnings({ status: () => status } as unknown as Issuance, set, NOW);
  return line;
}

function serving(hosts: Readonly<Record<string, Partial<CertificateEntry>>>): CertificateSet {
  const entries = Object.entries(hosts).map(([name, entry]) => {
    const own = { id: name, names: [name], certificatePem: '', keyPem: '', keyType: 'rsa', notAfter: LATER } as const;
    return [name, { ...own, source: 'acme' as const, ...entry }] as const;
  });
  return {
    ...EMPTY_CERTIFICATE_SET,
    certificates: entries.map(([, entry]) => entry),
    hosts: new Map(entries.map(([name, entry]) => [name, [entry.id]])),
  };
}

test('issuanceWarnings() says "has no certificate" only of names whose visitors get none', () => {
  const only = (set: CertificateSet, names = ['a.test']): string => warningFor(['p256'], 'p256', names, set);
  const none = '"a.test" has no certificate: Cannot order';
  const served =
    '"a.test" has no ECDSA certificate of its CA yet, and is served the RSA one there is (until 2027-01-15): Cannot order';
  assert.equal(only(EMPTY_CERTIFICATE_SET), none);
  assert.equal(only(serving({ 'a.test': {} })), served);
  assert.equal(only(serving({ 'a.test': { id: 'wild', names: ['*.test'] } })), served);
  assert.equal(only(serving({ '*.test': {} })), served);
  // Expired, or for other names: nobody takes it.
  assert.equal(only(serving({ 'a.test': { notAfter: NOW } })), none);
  assert.equal(only(serving({ 'a.test': { names: ['b.test'] } })), none);
  assert.equal(only(serving({ 'a.test': {} }), ['a.test', 'b.test']), none);
});

test('issuanceWarnings() names the kind of key where two are wanted', () => {
  const rsa = (set: CertificateSet): string => warningFor(['p256', 'rsa2048'], 'rsa2048', ['a.test'], set);
  assert.equal(rsa(EMPTY_CERTIFICATE_SET), '"a.test" has no RSA certificate: Cannot order');
  assert.equal(
    rsa(serving({ 'a.test': { keyType: 'ec' } })),
    '"a.test" has no RSA certificate of its CA yet, and is served the ECDSA one there is (until 2027-01-15): Cannot order',
  );
});
