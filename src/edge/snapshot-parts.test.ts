import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_CERTIFICATE_SET } from '../certs/certificate-set.ts';
import type { Document } from '../config/document.ts';
import { SnapshotJoiner, splitSnapshot } from './snapshot-parts.ts';

const snapshotOf = (hosts: number, certificates: number) => ({
  document: { hosts: Array.from({ length: hosts }, (_, i) => ({ name: `h${i}` })) } as unknown as Document,
  certificates: {
    ...EMPTY_CERTIFICATE_SET,
    certificates: Array.from({ length: certificates }, (_, i) => ({ id: `c${i}` }) as never),
    hosts: new Map(Array.from({ length: hosts }, (_, i) => [`h${i}`, [`c${i}`]] as const)),
    onVisit: new Set(Array.from({ length: hosts }, (_, i) => `h${i}`)),
    clientAuth: {
      ...EMPTY_CERTIFICATE_SET.clientAuth,
      hosts: new Map(Array.from({ length: hosts }, (_, i) => [`h${i}`, i % 2 === 0 ? null : 'p'] as const)),
    },
  },
  revision: 'r',
});

test('splitSnapshot() and SnapshotJoiner are each other’s opposite, and no part is large', () => {
  for (const [hosts, certificates] of [
    [0, 0],
    [50, 3],
    [51, 3],
    [3, 120],
    [1_234, 1_000],
  ] as const) {
    const whole = snapshotOf(hosts, certificates);
    const { parts, rest } = splitSnapshot(whole);
    const joiner = new SnapshotJoiner();
    for (const part of structuredClone(parts)) joiner.add(part);
    assert.deepEqual(joiner.finish(structuredClone(rest)), whole);
    for (const part of parts) assert.ok(part.hosts.length <= 50 && part.certificates.length <= 50);
    if (parts.length > 0) assert.equal(rest.document.hosts.length + rest.certificates.certificates.length, 0);
  }
});
