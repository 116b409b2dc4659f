import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakeCa } from './_fake-ca.ts';
import { DAY, HOUR, rigOf, wantedOf, untilNext, GONE } from './_issuance-rig.ts';

test('Issuance orders what is wanted once, and nothing anew after a restart', async (t) => {
  const rig = rigOf(t);
  const first = await rig.start();
  first.want(null, rig.want('a.example.com', 'b.example.com'));
  await first.review();
  assert.deepEqual(rig.cas[0]?.issued.toSorted(), ['a.example.com', 'b.example.com']);
  assert.equal(first.entriesFor('a.example.com', rig.policy)[0]?.names[0], 'a.example.com');
  first.want(null, rig.want('a.example.com', 'b.example.com'));
  await first.review();
  const second = await rig.start();
  second.want(null, rig.want('b.example.com', 'a.example.com'));
  await second.review();
  assert.equal(rig.cas[0]?.orders(), 2);
  assert.equal(second.entriesFor('b.example.com', rig.policy).length, 1);
});

test('Issuance lets an order end whose host was taken out, and renews it no more', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  issuance.want(null, []);
  await issuance.review();
  assert.deepEqual([ca.issued.length, issuance.status().length], [1, 0]);
  rig.now += 85 * DAY;
  await issuance.review();
  assert.equal(ca.issued.length, 1);
  // What was issued is still there for the day when the host comes back.
  rig.now -= 80 * DAY;
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  assert.equal(ca.issued.length, 1);
});

test('Issuance renews at two thirds of the life, tells the CA what is replaced, and keeps the old one meanwhile', async (t) => {
  const rig = rigOf(t);
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  const begin = rig.now;
  const id = issuance.entriesFor('a.example.com', rig.policy)[0]?.id;
  rig.now = begin + 50 * DAY;
  await issuance.review();
  assert.equal(rig.cas[0]?.issued.length, 1);
  await untilNext(rig, issuance);
  const days = (rig.now - begin) / DAY;
  assert.ok(days > 55 && days <= 60, `${days} days`);
  assert.equal(rig.cas[0]?.issued.length, 2);
  assert.match(rig.cas[0]?.replaces[1] ?? '', /^[\w-]+\.[\w-]+$/);
  assert.notEqual(issuance.entriesFor('a.example.com', rig.policy)[0]?.id, id);
});

test('Issuance renews when the CA wishes, at once where its window is past', async (t) => {
  const rig = rigOf(t);
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  const [ca] = rig.cas as [FakeCa, FakeCa];
  ca.window = { start: rig.now + 20 * DAY, end: rig.now + 30 * DAY };
  await issuance.askForAdvice(true);
  const [status] = issuance.status();
  assert.equal(status?.nextAt, rig.now + 25 * DAY);
  // Later the CA finds a mistake, and wants all of them back.
  ca.window = { start: rig.now - 2 * DAY, end: rig.now - DAY };
  await issuance.askForAdvice(true);
  await issuance.review();
  assert.equal(ca.issued.length, 2);
});

test('Issuance goes through a week without the CA: backoff over restarts, the certificate stays, then it is renewed', async (t) => {
  const rig = rigOf(t);
  let issuance = await rig.start();
  // One CA only: there is nobody else to ask.
  const one = { ...rig.policy, cas: rig.policy.cas.slice(0, 1) };
  const wanted = rig.want('a.example.com').map((it) => ({ ...it, policy: one }));
  issuance.want(null, wanted);
  await issuance.review();
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const id = issuance.entriesFor('a.example.com', one)[0]?.id;
  ca.trouble = GONE;
  rig.now += 61 * DAY;
  const until = rig.now + 7 * DAY;
  let tries = 0;
  for (; rig.now < until; tries += 1) {
    await untilNext(rig, issuance);
    if (tries % 5 !== 4) continue;
    // A restart forgets neither the failures nor the time of the next try.
    const before = issuance.status()[0];
    await issuance.close();
    issuance = await rig.start();
    issuance.want(null, wanted);
    assert.equal(issuance.status()[0]?.nextAt, before?.nextAt);
    assert.equal(issuance.status()[0]?.failures, before?.failures);
  }
  assert.ok(tries > 20 && tries < 60, `${tries} tries in a week`);
  assert.equal(issuance.entriesFor('a.example.com', one)[0]?.id, id, 'the old one is served all the time');
  assert.match(
    rig.lines.join('\n'),
    /warn Certificate not renewed: .*the connection is refused.* good for 2\d more days/,
  );
  ca.trouble = null;
  await untilNext(rig, issuance);
  assert.equal(ca.issued.length, 2);
  assert.equal(issuance.status()[0]?.failures, 0);
});

test('Issuance turns to the next CA after as many failures as the document says', async (t) => {
  const rig = rigOf(t);
  const [first, second] = rig.cas as [FakeCa, FakeCa];
  first.trouble = { status: 500, headers: {}, body: '<html>maintenance</html>' };
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  await untilNext(rig, issuance);
  assert.equal(second.orders(), 0);
  await untilNext(rig, issuance);
  await untilNext(rig, issuance);
  assert.deepEqual(second.issued, ['a.example.com']);
  assert.match(
    rig.lines.join('\n'),
    /error Cannot .*CA 1 answers 500 "maintenance".*Visitors of "a\.example\.com" get a TLS error/,
  );
});

test('Issuance does not let the pause of one CA hold up another', async (t) => {
  const rig = rigOf(t);
  const [first, second] = rig.cas as [FakeCa, FakeCa];
  first.trouble = { status: 503, headers: { 'retry-after': '86400' }, body: 'later' };
  const eager = { ...rig.policy, fallbackAfter: 1 };
  const issuance = await rig.start();
  issuance.want(
    null,
    rig.want('a.example.com').map((one) => ({ ...one, policy: eager })),
  );
  await issuance.review();
  assert.equal(second.orders(), 0);
  rig.now += 2 * 60_000;
  await issuance.review();
  assert.deepEqual(second.issued, ['a.example.com']);
});

test('Issuance waits out a rate limit of the account with all its orders', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const one = { ...rig.policy, cas: rig.policy.cas.slice(0, 1) };
  const limited = JSON.stringify({ type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many new orders' });
  const issuance = await rig.start();
  let asked = 0;
  ca.onRequest = ({ url }) => {
    if (!url.endsWith('/order')) return;
    asked += 1;
    ca.trouble = { status: 429, headers: { 'retry-after': '7200' }, body: limited };
  };
  issuance.want(null, wantedOf(['a.example.com'], one));
  await issuance.review();
  ca.onRequest = () => void (asked += 1);
  issuance.want(null, wantedOf(['a.example.com', 'b.example.com', 'c.example.com'], one));
  await issuance.review();
  assert.equal(asked, 1, 'nobody asks before the time is up');
  ca.trouble = null;
  rig.now += 2 * HOUR + 1;
  await issuance.review();
  assert.equal(ca.issued.length, 3);
});

test('Issuance turns to the next CA at once where the first wants to be left alone for long', async (t) => {
  const rig = rigOf(t);
  const [first, second] = rig.cas as [FakeCa, FakeCa];
  const limited = JSON.stringify({ type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many certificates' });
  const date = new Date(rig.now + 3 * DAY).toUTCString();
  first.trouble = { status: 429, headers: { 'retry-after': date }, body: limited };
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  rig.now += 2 * HOUR;
  await issuance.review();
  assert.deepEqual(second.issued, ['a.example.com']);
});

test('Issuance orders once where its clock is far ahead, and uses the certificate when that is right again', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const one = { ...rig.policy, cas: rig.policy.cas.slice(0, 1) };
  ca.aheadMs = -200 * DAY;
  const issuance = await rig.start();
  issuance.want(null, wantedOf(['a.example.com'], one));
  await issuance.review();
  for (let tries = 0; tries < 5; tries += 1) await untilNext(rig, issuance);
  assert.equal(ca.issued.length, 1, 'the same order is asked for its certificate');
  assert.match(
    rig.lines.join('\n'),
    /error Cannot use the certificate of CA 1: it was good until .* this machine's clock says .*\(set the clock/,
  );
  rig.now -= 200 * DAY;
  await issuance.close();
  const again = await rig.start();
  again.want(null, wantedOf(['a.example.com'], one));
  rig.now = Math.max(rig.now, again.status()[0]?.nextAt ?? 0);
  await again.review();
  assert.equal(ca.issued.length, 1);
});

test('Issuance does not renew over and over where a CA says "now" of whatever it issues', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  for (let hour = 0; hour < 48; hour += 1) {
    ca.window = { start: rig.now - 2 * DAY, end: rig.now - DAY };
    await issuance.askForAdvice(true);
    await issuance.review();
    rig.now += HOUR;
  }
  assert.ok(ca.issued.length >= 4 && ca.issued.length <= 8, `${ca.issued.length} in two days`);
});

test('Issuance does not take up for ever an order whose certificate is for another key', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const issuance = await rig.start();
  issuance.want(null, rig.want('b.example.com'));
  await issuance.review();
  // As where a CA answers two requests with one order: the other one was finalised.
  ca.onRequest = ({ url }) => {
    if (url.includes('/finalize/1')) ca.swap(1, 0);
  };
  issuance.want(null, rig.want('a.example.com', 'b.example.com'));
  await issuance.review();
  assert.match(rig.lines.join('\n'), /error Cannot use the certificate of CA 1: it is not for the key that was sent/);
  await untilNext(rig, issuance);
  assert.equal(issuance.entriesFor('a.example.com', rig.policy).length, 1);
});

test('Issuance uses no certificate for other names: the one in use stays, and the next order is a new one', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  const id = issuance.entriesFor('a.example.com', rig.policy)[0]?.id;
  rig.now += 70 * DAY;
  ca.mistaken = () => 'b.example.com';
  await issuance.review();
  assert.match(
    rig.lines.join('\n'),
    /error .*Cannot use the certificate of CA 1: it does not cover "a\.example\.com" \(it is ordered anew; .*The one in use is good for \d+ more days/,
  );
  assert.deepEqual([ca.orders(), issuance.entriesFor('b.example.com', rig.policy).length], [2, 0]);
  assert.equal(issuance.entriesFor('a.example.com', rig.policy)[0]?.id, id);
  await issuance.review();
  assert.equal(ca.orders(), 2, 'not again at once');
  ca.mistaken = null;
  await untilNext(rig, issuance);
  assert.equal(ca.orders(), 3);
  assert.notEqual(issuance.entriesFor('a.example.com', rig.policy)[0]?.id, id);
});

test('Issuance makes another account where the one it took over was deactivated elsewhere', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  const before = (await rig.store.findAccount(ca.directory, ''))?.url;
  ca.deactivated.add(before ?? '');
  issuance.want(null, rig.want('a.example.com', 'b.example.com'));
  await issuance.review();
  assert.deepEqual(ca.issued, ['a.example.com', 'b.example.com']);
  assert.notEqual((await rig.store.findAccount(ca.directory, ''))?.url, before);
  assert.match(rig.lines.join('\n'), /warn Making the account at CA 1 anew: it has been deactivated elsewhere/);
});

test('Issuance of two nodes on one store orders one certificate, and both use it', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const one = await rig.start('node-1');
  const two = await rig.start('node-2');
  one.want(null, rig.want('a.example.com'));
  two.want(null, rig.want('a.example.com'));
  await Promise.all([one.review(), two.review()]);
  assert.equal(ca.issued.length, 1);
  rig.now += 60_000;
  await Promise.all([one.review(), two.review()]);
  assert.equal(ca.issued.length, 1, 'the second finds it in the store');
  for (const node of [one, two]) assert.equal(node.entriesFor('a.example.com', rig.policy).length, 1);
});

test('Issuance that loses its lock in the middle of an order stores nothing', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const slow = await rig.start('slow');
  ca.onRequest = ({ url }) => {
    if (!url.includes('/challenge/')) return;
    // The process was stopped for longer than its lease; another one took over.
    ca.onRequest = null;
    rig.store.steal('a.example.com', 'other');
  };
  slow.want(null, rig.want('a.example.com'));
  await slow.review();
  assert.deepEqual(await rig.store.listCertificates(), []);
  assert.equal(slow.entriesFor('a.example.com', rig.policy).length, 0);
});

test('Issuance survives a store that cannot write, and a clock that jumps', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const issuance = await rig.start();
  rig.store.isReadOnly = true;
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  assert.equal(ca.orders(), 0, 'what could not be kept is not begun');
  rig.store.isReadOnly = false;
  await untilNext(rig, issuance);
  assert.equal(ca.issued.length, 1);
  // A year ahead everything is due; back again, nothing is ordered twice.
  rig.now += 365 * DAY;
  await issuance.review();
  assert.equal(ca.issued.length, 2);
  rig.now -= 365 * DAY;
  await issuance.review();
  await issuance.review();
  assert.equal(ca.issued.length, 2);
});

test('Issuance orders anew what it cannot open, and says so', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const first = await rig.start();
  first.want(null, rig.want('a.example.com'));
  await first.review();
  const [stored] = await rig.store.listCertificates();
  const lock = await rig.store.lockOrder('a.example.com', 'node', rig.now, 1000);
  assert.ok(stored !== undefined && lock !== null);
  await rig.store.finishOrder(lock, { ...stored, chain: 'no certificate', issuedAt: rig.now - DAY });
  const second = await rig.start();
  second.want(null, rig.want('a.example.com'));
  await second.review();
  assert.equal(ca.issued.length, 2);
  assert.match(rig.lines.join('\n'), /error Cannot use the stored certificate for "a\.example\.com"/);
});

test('Issuance keeps the key of an order that took the place of a lost one, so that its certificate is not ordered twice', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const breakAt = (part: string): void => {
    ca.onRequest = ({ url }) => {
      if (url.includes(part)) ca.trouble = GONE;
    };
  };
  const issuance = await rig.start();
  breakAt('/challenge/');
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  // What was begun is lost; the order after it is issued, but the answer does not arrive.
  ca.spoil(0);
  ca.trouble = null;
  breakAt('/cert/');
  await untilNext(rig, issuance);
  assert.equal(ca.issued.length, 1);
  await issuance.close();
  ca.trouble = null;
  ca.onRequest = null;
  const again = await rig.start();
  again.want(null, rig.want('a.example.com'));
  await untilNext(rig, again);
  assert.equal(again.entriesFor('a.example.com', rig.policy).length, 1);
  assert.equal(ca.issued.length, 1);
});

test('Issuance makes a new account where the CA has forgotten the old one', async (t) => {
  const rig = rigOf(t);
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const account = await rig.store.findAccount(ca.directory, '');
  assert.ok(account !== null);
  await rig.store.updateAccount({ ...account, url: 'https://one.ca/me/nobody' });
  const again = await rig.start();
  again.want(null, rig.want('a.example.com', 'b.example.com'));
  await again.review();
  assert.deepEqual(ca.issued, ['a.example.com', 'b.example.com']);
});
