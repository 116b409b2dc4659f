import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AskedBy } from './asked-by.ts';
import { rigOf } from './_issuance-rig.ts';
import type { AcmePolicy } from './wanted.ts';

test('AskedBy tells what is asked for by all that counts, and reads a policy once for all its hosts', (t) => {
  const { policy } = rigOf(t);
  let reads = 0;
  const counted: AcmePolicy = {
    ...policy,
    get cas() {
      reads += 1;
      return policy.cas;
    },
  };
  const asked = new AskedBy();
  const around = { email: 'ops@example.com', answers: 'token' };
  const first = asked.of({ policy: counted, keyType: 'p256' }, around);
  for (let hosts = 0; hosts < 1_000; hosts += 1)
    assert.equal(asked.of({ policy: counted, keyType: 'p256' }, { ...around }), first);
  assert.equal(reads, 1);
  assert.equal(asked.of({ policy, keyType: 'p256' }, around), first, 'the same of a document that was read again');
  const others = [
    asked.of({ policy: counted, keyType: 'rsa2048' }, around),
    asked.of({ policy: counted, keyType: 'p256' }, { ...around, email: null }),
    asked.of({ policy: counted, keyType: 'p256' }, { ...around, answers: 'another token' }),
    asked.of({ policy: { ...policy, challenges: ['dns-01'] }, keyType: 'p256' }, around),
    asked.of({ policy: { ...policy, cas: policy.cas.slice(1) }, keyType: 'p256' }, around),
  ];
  assert.equal(new Set([first, ...others]).size, 6);
  assert.equal(asked.of({ policy: counted, keyType: 'p256' }, around), first);
});
