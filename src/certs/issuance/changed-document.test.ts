/** An operator mends what was wrong in the document: the next try is at once, unless the CA wants to be left alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakeCa } from './_fake-ca.ts';
import { HOUR, rigOf, untilNext, wantedOf, type Rig } from './_issuance-rig.ts';
import type { AcmePolicy, Wanted } from './wanted.ts';

const refusal = (type: string, status = 403, headers = {}): FakeCa['trouble'] => ({
  status,
  headers,
  body: JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail: type }),
});

/** One CA, with an account that is bound by this key. */
function bound(rig: Rig, hmacKey: string): AcmePolicy {
  const [first] = rig.policy.cas;
  assert.ok(first !== undefined);
  return { ...rig.policy, cas: [{ ...first, eab: { keyId: 'kid', hmacKey } }] };
}

const wanted = (rig: Rig, hmacKey: string): Wanted[] => wantedOf(['a.example.com'], bound(rig, hmacKey));

test('Issuance tries at once what the document asks for by now, also after a restart', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  ca.trouble = refusal('unauthorized');
  let issuance = await rig.start();
  issuance.want(null, wanted(rig, 'wrong'));
  await issuance.review();
  for (let tries = 0; tries < 6; tries += 1) await untilNext(rig, issuance);
  const [before] = issuance.status();
  assert.ok((before?.nextAt ?? 0) > rig.now + HOUR / 2, 'it would be long');
  ca.trouble = null;
  issuance.want(null, wanted(rig, 'wrong'));
  await issuance.review();
  assert.equal(ca.issued.length, 0, 'the same document waits');
  await issuance.close();
  issuance = await rig.start();
  issuance.want(null, wanted(rig, 'wrong'));
  await issuance.review();
  assert.deepEqual([ca.issued.length, issuance.status()[0]?.nextAt], [0, before?.nextAt], 'over a restart, too');
  await issuance.close();
  issuance = await rig.start();
  issuance.want(null, wanted(rig, 'right'));
  await issuance.review();
  assert.equal(ca.issued.length, 1);
  assert.doesNotMatch(JSON.stringify([...(await rig.store.listOrders()), rig.lines]), /wrong|right/);
});

test('Issuance counts failures anew for a changed document, and pauses as ever where that is wrong, too', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  ca.trouble = refusal('unauthorized');
  const issuance = await rig.start();
  issuance.want(null, wanted(rig, 'one'));
  await issuance.review();
  for (let tries = 0; tries < 4; tries += 1) await untilNext(rig, issuance);
  assert.equal(issuance.status()[0]?.failures, 5);
  issuance.want(null, wanted(rig, 'two'));
  await issuance.review();
  const [after] = issuance.status();
  assert.equal(after?.failures, 1);
  assert.ok((after?.nextAt ?? 0) > rig.now + 40_000);
  let asked = 0;
  ca.onRequest = () => void (asked += 1);
  for (let reloads = 0; reloads < 5; reloads += 1) {
    issuance.want(null, wanted(rig, 'two'));
    await issuance.review();
  }
  assert.equal(asked, 0);
  // The contact is a part of what is asked for.
  issuance.want('ops@example.com', wanted(rig, 'two'));
  await issuance.review();
  assert.ok(asked > 0);
});

test('Issuance leaves a CA alone that asked for it, whatever the document says of that CA by now', async (t) => {
  const rig = rigOf(t);
  const [ca, other] = rig.cas as [FakeCa, FakeCa];
  ca.trouble = refusal('rateLimited', 429, { 'retry-after': '7200' });
  const issuance = await rig.start();
  issuance.want(null, wanted(rig, 'one'));
  await issuance.review();
  ca.trouble = null;
  issuance.want(null, wanted(rig, 'two'));
  await issuance.review();
  assert.equal(ca.issued.length, 0);
  assert.equal(issuance.status()[0]?.nextAt, rig.now + 2 * HOUR);
  const elsewhere = { ...rig.policy, cas: rig.policy.cas.slice(1) };
  issuance.want(null, wantedOf(['a.example.com'], elsewhere));
  await issuance.review();
  assert.equal(other.issued.length, 1, 'another CA is another matter');
});

test('Issuance tries at once what the document asks for by now, also where the CA was away for all', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  ca.trouble = { status: 503, headers: {}, body: 'maintenance' };
  const names = ['a', 'b', 'c', 'd'].map((one) => `${one}.example.com`);
  const issuance = await rig.start();
  issuance.want(null, wantedOf(names, bound(rig, 'one')));
  await issuance.review();
  ca.trouble = null;
  rig.now += 1_000;
  issuance.want(null, wantedOf(names, bound(rig, 'one')));
  await issuance.review();
  assert.equal(ca.issued.length, 0, 'the same document waits');
  issuance.want(null, wantedOf(names, bound(rig, 'two')));
  await issuance.review();
  assert.equal(ca.issued.length, 4, rig.lines.join('\n'));
});

test('Issuance takes a reload into account that comes while the order of before runs', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  ca.trouble = refusal('unauthorized');
  const issuance = await rig.start();
  ca.onRequest = ({ url }) => {
    if (!url.endsWith('/dir') || ca.trouble === null) return;
    ca.onRequest = null;
    issuance.want(null, wanted(rig, 'right'));
    setImmediate(() => (ca.trouble = null));
  };
  issuance.want(null, wanted(rig, 'wrong'));
  await issuance.review();
  rig.now += 1;
  await issuance.review();
  assert.equal(ca.issued.length, 1, rig.lines.join('\n'));
});

test('Issuance goes on with a renewal that somebody waits for where the document changes its CA meanwhile', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const issuance = await rig.start();
  issuance.want(null, wanted(rig, 'one'));
  await issuance.review();
  assert.equal(ca.issued.length, 1);
  ca.onRequest = ({ url }) => {
    if (!url.endsWith('/order')) return;
    issuance.want(null, wanted(rig, 'two'));
    ca.onRequest = null;
    // As of a request that is given up.
    throw new Error('aborted');
  };
  // Its certificate is good for weeks: but for whoever asked, nothing is due.
  const outcome = issuance.order('a.example.com');
  await issuance.review();
  assert.match(rig.lines.join('\n'), /given up/);
  const late = new Promise((done) => setTimeout(done, 2_000, { kind: 'nothing came of it' }));
  const { kind } = (await Promise.race([outcome, late])) as { kind: string };
  assert.equal(kind, 'issued', rig.lines.join('\n'));
});
