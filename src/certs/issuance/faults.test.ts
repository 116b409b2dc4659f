/** Faults of a CA in the middle of an order, where weeks pass or many orders run: nothing twice, nothing lost, nothing for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakeCa } from './_fake-ca.ts';
import { rigOf, untilNext, wantedOf, type Rig } from './_issuance-rig.ts';
import type { AcmePolicy } from './wanted.ts';
import type { HttpsAnswer } from '../acme/https.ts';

const problem = (status: number, type: string): HttpsAnswer => ({
  status,
  headers: {},
  body: JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail: type }),
});

/** Answers in the CA's place, so many times. */
function instead(ca: FakeCa, path: RegExp, answer: HttpsAnswer, times: number): void {
  let left = times;
  ca.onRequest = ({ url }) => {
    const isMeant = path.test(url) && left > 0;
    if (isMeant) left -= 1;
    ca.trouble = isMeant ? answer : null;
  };
}

function oneCa(rig: Rig): { readonly ca: FakeCa; readonly policy: AcmePolicy } {
  const [ca] = rig.cas as [FakeCa, FakeCa];
  return { ca, policy: { ...rig.policy, cas: rig.policy.cas.slice(0, 1) } };
}

test('Issuance makes one account for all the orders that find the one of before deactivated', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  ca.deactivated.add((await rig.store.findAccount(ca.directory, ''))?.url ?? '');
  let made = 0;
  ca.onRequest = ({ url }) => void (made += url.endsWith('/account') ? 1 : 0);
  const names = Array.from({ length: 12 }, (_, at) => `n${at}.example.com`);
  issuance.want(null, wantedOf(names, policy));
  await issuance.review();
  assert.equal(ca.issued.length, 13, rig.lines.join('\n'));
  assert.equal(made, 1);
});

test('Issuance goes on with an order that is not ready everywhere at the CA', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  instead(ca, /\/finalize\//, problem(403, 'orderNotReady'), 3);
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  assert.deepEqual([ca.orders(), ca.issued.length], [1, 1]);
  assert.doesNotMatch(rig.lines.join('\n'), /Cannot/);
});

test('Issuance gives up an order that is never ready until its next try', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  instead(ca, /\/finalize\//, problem(403, 'orderNotReady'), 99);
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  assert.match(rig.lines.join('\n'), /error Cannot finalise the order for "a\.example\.com" .*orderNotReady/);
  ca.onRequest = null;
  ca.trouble = null;
  await untilNext(rig, issuance);
  assert.deepEqual([ca.orders(), ca.issued.length], [1, 1], 'by the same order');
});
