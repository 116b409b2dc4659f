import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakeCa } from './_fake-ca.ts';
import type { AcmePolicy } from './wanted.ts';
import { DAY, rigOf, wantedOf, untilNext, GONE } from './_issuance-rig.ts';

test('Issuance orders an RSA certificate beside the ECDSA one, one after the other, and renews each by itself', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const both: AcmePolicy = { ...rig.policy, keyTypes: ['p256', 'rsa2048'] };
  const issuance = await rig.start();
  let running = 0;
  let most = 0;
  ca.onRequest = ({ url, method }) => {
    if (method === 'POST' && url.endsWith('/order')) most = Math.max(most, ++running);
    if (url.includes('/cert/')) running -= 1;
  };
  issuance.want(null, wantedOf(['a.example.com'], both));
  await issuance.review();
  assert.equal(most, 1, 'a CA may take the second order for the first');
  const kinds = (policy: AcmePolicy): string[] =>
    issuance
      .entriesFor('a.example.com', policy)
      .map((entry) => entry.keyType)
      .toSorted();
  assert.deepEqual(kinds(both), ['ec', 'rsa']);
  const before = issuance.entriesFor('a.example.com', both).map((entry) => entry.id);
  while (ca.issued.length < 4) await untilNext(rig, issuance);
  assert.deepEqual(kinds(both), ['ec', 'rsa']);
  const after = issuance.entriesFor('a.example.com', both).map((entry) => entry.id);
  assert.ok(after.every((id) => !before.includes(id)));
  assert.ok(ca.replaces.slice(2).every((one) => one !== undefined) && ca.replaces[2] !== ca.replaces[3]);
  // Revoked is one, and one is ordered.
  const [ec] = issuance.issued.filter((one) => one.keyType === 'p256');
  await rig.store.markRevoked(ec?.stored.id ?? '', rig.now);
  const again = await rig.start();
  again.want(null, wantedOf(['a.example.com'], both));
  await again.review();
  assert.equal(ca.issued.length, 5);
});

test('Issuance orders only what is missing where a document goes from one kind of key to two, and back nothing', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const rsa: AcmePolicy = { ...rig.policy, keyTypes: ['rsa2048'] };
  const both: AcmePolicy = { ...rig.policy, keyTypes: ['p256', 'rsa2048'] };
  const issuance = await rig.start();
  issuance.want(null, wantedOf(['a.example.com'], rsa));
  await issuance.review();
  const kinds = (policy: AcmePolicy): string[] =>
    issuance.entriesFor('a.example.com', policy).map((entry) => entry.keyType);
  assert.deepEqual(kinds(rsa), ['rsa']);
  issuance.want(null, wantedOf(['a.example.com'], both));
  await issuance.review();
  assert.equal(ca.issued.length, 2);
  assert.deepEqual(kinds(both).toSorted(), ['ec', 'rsa']);
  issuance.want(null, wantedOf(['a.example.com'], rig.policy));
  await issuance.review();
  assert.deepEqual(kinds(rig.policy), ['ec']);
  rig.now += 80 * DAY;
  await issuance.review();
  assert.equal(ca.issued.length, 3, 'the RSA one is left to lapse');
  assert.deepEqual(kinds(rig.policy), ['ec']);
});

test('Issuance takes RSA certificates and orders of a database that knew one kind of key for RSA ones', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const rsa: AcmePolicy = { ...rig.policy, keyTypes: ['rsa2048'] };
  const first = await rig.start();
  first.want(null, wantedOf(['a.example.com'], rsa));
  await first.review();
  ca.onRequest = ({ url }) => {
    if (url.includes('/finalize/')) ca.trouble = GONE;
  };
  first.want(null, wantedOf(['a.example.com', 'b.example.com'], rsa));
  await first.review();
  await first.close();
  assert.deepEqual([ca.issued, ca.orders()], [['a.example.com'], 2]);
  // As they were written then.
  const [stored] = await rig.store.listCertificates();
  await rig.store.renameCertificate(stored?.id ?? '', 'a.example.com');
  await rig.store.renameOrder('b.example.com (rsa)', 'b.example.com');
  ca.trouble = null;
  ca.onRequest = null;
  const second = await rig.start();
  second.want(null, wantedOf(['a.example.com', 'b.example.com'], { ...rsa, keyTypes: ['p256', 'rsa2048'] }));
  while (ca.issued.length < 4) await untilNext(rig, second);
  assert.equal(ca.orders(), 4, 'the order that was begun goes on, and two are new');
  const subjects = (await rig.store.listCertificates()).map((one) => one.subject);
  assert.deepEqual(subjects.toSorted(), [
    'a.example.com',
    'a.example.com (rsa)',
    'b.example.com',
    'b.example.com (rsa)',
  ]);
});
