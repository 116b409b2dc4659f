import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openStore } from './sqlite.ts';
import type { IssuanceStore, StoredCertificate } from '../core/issuance-store.ts';

function open(t: TestContext): IssuanceStore {
  const folder = mkdtempSync(join(tmpdir(), 'postern-issuance-'));
  const store = openStore(folder);
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });
  return store.issuance;
}

function certificate(id: string, subject = 'a.example'): StoredCertificate {
  return {
    id,
    subject,
    directory: 'https://ca.example/dir',
    chain: 'PEM',
    sealedKey: 'sealed',
    issuedAt: 1,
    revokedAt: null,
    renewal: null,
  };
}

test('lockOrder() gives a lock to one holder, again to the same one, and to others after the lease', async (t) => {
  const store = open(t);
  const first = await store.lockOrder('a.example', 'one', 1000, 100);
  assert.equal(first?.state, '{}');
  assert.equal(await store.lockOrder('a.example', 'two', 1050, 100), null);
  const again = await store.lockOrder('a.example', 'one', 1060, 100);
  assert.ok((again?.fence ?? 0) > (first?.fence ?? 0));
  assert.equal(await store.lockOrder('a.example', 'two', 1159, 100), null);
  const second = await store.lockOrder('a.example', 'two', 1160, 100);
  assert.ok((second?.fence ?? 0) > (again?.fence ?? 0));
});

test('a holder whose lock went to another can neither save nor finish', async (t) => {
  const store = open(t);
  const old = await store.lockOrder('a.example', 'one', 0, 10);
  const now = await store.lockOrder('a.example', 'two', 20, 10);
  assert.ok(old !== null && now !== null);
  assert.equal(await store.saveOrder(old, '{"by":"one"}', 100), false);
  assert.equal(await store.releaseOrder(old, '{"by":"one"}'), false);
  assert.equal(await store.finishOrder(old, certificate('c1')), false);
  assert.deepEqual(await store.listCertificates(), []);
  assert.equal(await store.saveOrder(now, '{"by":"two"}', 100), true);
  assert.equal(await store.finishOrder(now, certificate('c2')), true);
  assert.deepEqual(
    (await store.listCertificates()).map((one) => one.id),
    ['c2'],
  );
  assert.deepEqual(await store.listOrders(), []);
});

test('a fence is never given twice, not even after the order is gone', async (t) => {
  const store = open(t);
  const first = await store.lockOrder('a.example', 'one', 0, 10);
  assert.ok(first !== null);
  await store.finishOrder(first, certificate('c1'));
  const second = await store.lockOrder('a.example', 'one', 0, 10);
  assert.ok((second?.fence ?? 0) > first.fence);
  assert.equal(await store.saveOrder(first, '{}', 10), false);
});

test('releaseOrder() keeps the state for whoever comes next, finishOrder() replaces older certificates', async (t) => {
  const store = open(t);
  const first = await store.lockOrder('a.example', 'one', 0, 10);
  assert.ok(first !== null);
  await store.releaseOrder(first, '{"failures":2}');
  assert.equal(await store.saveOrder(first, '{}', 10), false);
  const second = await store.lockOrder('a.example', 'two', 1, 10);
  assert.equal(second?.state, '{"failures":2}');
  await store.finishOrder(second, certificate('c1'));
  const third = await store.lockOrder('a.example', 'two', 1, 10);
  assert.ok(third !== null);
  await store.finishOrder(third, certificate('c2'));
  const other = await store.lockOrder('b.example', 'two', 1, 10);
  assert.ok(other !== null);
  await store.finishOrder(other, certificate('c3', 'b.example'));
  const ids = (await store.listCertificates()).map((one) => one.id);
  assert.deepEqual(ids, ['c2', 'c3']);
});

test('insertAccount() lets the first win, updateAccount() changes key and URL', async (t) => {
  const store = open(t);
  const account = { directory: 'https://ca.example/dir', binding: '', url: null, sealedKey: 'k1' };
  assert.deepEqual(await store.insertAccount(account), account);
  assert.deepEqual(await store.insertAccount({ ...account, sealedKey: 'k2' }), account);
  await store.updateAccount({ ...account, url: 'https://ca.example/acct/1' });
  assert.equal((await store.findAccount(account.directory, ''))?.url, 'https://ca.example/acct/1');
  assert.equal(await store.findAccount(account.directory, 'kid'), null);
  assert.deepEqual(await store.listAccounts(), [{ ...account, url: 'https://ca.example/acct/1' }]);
  await store.deleteAccount(account.directory, '');
  assert.equal(await store.findAccount(account.directory, ''), null);
});

test('TXT records stay until they are removed; adding one twice is adding it once', async (t) => {
  const store = open(t);
  const one = { provider: 'test', fqdn: '_acme-challenge.a.example', value: 'v1' };
  await store.addTxt(one);
  await store.addTxt(one);
  await store.addTxt({ ...one, value: 'v2' });
  assert.equal((await store.listTxt()).length, 2);
  await store.removeTxt(one);
  await store.removeTxt(one);
  assert.deepEqual(await store.listTxt(), [{ ...one, value: 'v2' }]);
});

test('markRevoked() keeps the first time, setRenewal() and deleteCertificate() find by id', async (t) => {
  const store = open(t);
  const lock = await store.lockOrder('a.example', 'one', 0, 10);
  assert.ok(lock !== null);
  await store.finishOrder(lock, certificate('c1'));
  await store.markRevoked('c1', 5);
  await store.markRevoked('c1', 9);
  await store.setRenewal('c1', '{"at":1}');
  const [stored] = await store.listCertificates();
  assert.equal(stored?.revokedAt, 5);
  assert.equal(stored?.renewal, '{"at":1}');
  assert.equal(await store.deleteCertificate('c1'), true);
  assert.equal(await store.deleteCertificate('c1'), false);
});

test('listIssuedSince() knows what was issued, also after the certificate was replaced or removed', async (t) => {
  const store = open(t);
  const day = 86_400_000;
  const issue = async (id: string, issuedAt: number): Promise<void> => {
    const lock = await store.lockOrder('a.example', 'one', issuedAt, 10);
    assert.ok(lock);
    await store.finishOrder(lock, { ...certificate(id), issuedAt });
  };
  await issue('c1', 40 * day);
  await issue('c2', 46 * day);
  await store.deleteCertificate('c2');
  const event = { directory: 'https://ca.example/dir', subject: 'a.example' };
  assert.deepEqual(await store.listIssuedSince(40 * day), [
    { ...event, issuedAt: 46 * day },
    { ...event, issuedAt: 40 * day },
  ]);
  assert.deepEqual(await store.listIssuedSince(46 * day), [{ ...event, issuedAt: 46 * day }]);
  await issue('c3', 80 * day);
  assert.equal((await store.listIssuedSince(0)).length, 1, 'old entries are forgotten');
});
