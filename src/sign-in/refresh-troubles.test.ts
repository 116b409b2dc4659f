import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefreshTroubles } from './refresh-troubles.ts';

const ann = { key: 'a1', subject: 'ann' };
const bob = { key: 'b1', subject: 'bob' };
const NOW = 1_800_000_000_000;

test('failed() tells whose trouble it is: theirs whom it fails again, while others were answered in between', () => {
  const troubles = new RefreshTroubles();
  assert.equal(troubles.failed(ann, NOW), false, 'the first may be an outage');
  assert.equal(troubles.failed(ann, NOW), false, 'and still is');
  assert.equal(troubles.failed(bob, NOW), false, 'others fail, too');
  troubles.answered(bob);
  assert.equal(troubles.failed(ann, NOW), true);
  assert.equal(troubles.failed({ ...ann, key: 'a2' }, NOW), true, 'by another session of theirs, too');
  assert.equal(troubles.failed(bob, NOW), false, 'who was answered fails: an outage again');
  assert.equal(troubles.failed(ann, NOW), true);
});

test('answered() ends the trouble of a person when all that failed was answered', () => {
  const troubles = new RefreshTroubles();
  troubles.failed(ann, NOW);
  troubles.failed({ ...ann, key: 'a2' }, NOW);
  troubles.answered(ann);
  assert.equal(troubles.failed({ ...ann, key: 'a2' }, NOW), true);
  troubles.answered({ ...ann, key: 'a2' });
  assert.equal(troubles.failed({ ...ann, key: 'a2' }, NOW), false);
});

test('isNews() is true once for each reason, and again once the trouble was over', () => {
  const troubles = new RefreshTroubles();
  assert.equal(troubles.isNews(ann, 'no'), false, 'there is none');
  troubles.failed(ann, NOW);
  assert.deepEqual(
    [troubles.isNews(ann, 'no'), troubles.isNews(ann, 'no'), troubles.isNews(ann, 'never')],
    [true, false, true],
  );
  troubles.answered(ann);
  troubles.failed(ann, NOW);
  assert.equal(troubles.isNews(ann, 'never'), true);
});

test('Who is in trouble is kept for a thousand people, and who failed longest ago goes first', () => {
  const troubles = new RefreshTroubles();
  const others = Array.from({ length: 1_000 }, (_, i) => ({ key: `k${i}`, subject: `s${i}` }));
  const [first, ...rest] = others as [typeof ann, ...(typeof ann)[]];
  for (const one of [ann, first, ...rest.slice(0, 998)]) troubles.failed(one, NOW);
  troubles.answered(bob);
  assert.equal(troubles.failed(ann, NOW), true);
  troubles.failed(rest[998] as typeof ann, NOW);
  assert.equal(troubles.failed(ann, NOW), true, 'others failed longer ago');
  assert.equal(troubles.failed(first, NOW), false);
});

test('isNews() fills no log where a provider refuses whoever is asked about', () => {
  const troubles = new RefreshTroubles();
  let lines = 0;
  for (let turn = 0; turn < 2; turn++)
    for (let i = 0; i < 2_000; i++) {
      const one = { key: `k${i}`, subject: `s${i}` };
      troubles.failed(one, NOW);
      if (troubles.isNews(one, 'it refuses everybody')) lines++;
    }
  assert.equal(lines, 999);
});

test('isResting() is about one sign-in, for five seconds, whatever becomes of the clock, and over with an answer', () => {
  const troubles = new RefreshTroubles();
  troubles.failed(ann, NOW);
  const at = 1_000_000;
  assert.equal(troubles.isResting(ann, at), false);
  troubles.rest(ann, at);
  const rests = [0, 4_999, 5_000, -7_200_000].map((ms) => troubles.isResting(ann, at + ms));
  assert.deepEqual(rests, [true, true, false, false]);
  assert.equal(troubles.isResting({ ...ann, key: 'a2' }, at), false);
  troubles.answered(ann);
  assert.equal(troubles.isResting(ann, at), false);
});

test('A thousand sign-ins of one person are kept', () => {
  const troubles = new RefreshTroubles();
  for (let i = 0; i <= 1_000; i++) {
    const one = { ...ann, key: `a${i}` };
    troubles.failed(one, NOW);
    troubles.rest(one, 10);
  }
  const kept = [0, 1, 1_000].map((i) => troubles.isResting({ ...ann, key: `a${i}` }, 10));
  assert.deepEqual(kept, [false, true, true]);
});

test('Whose sessions have ended is forgotten after a day: a name is news again', () => {
  const troubles = new RefreshTroubles();
  troubles.failed(ann, NOW);
  troubles.failed(bob, NOW + 1);
  assert.equal(troubles.isNews(ann, 'no'), true);
  troubles.failed({ key: 'e1', subject: 'eve' }, NOW + 86_400_000);
  assert.equal(troubles.isNews(ann, 'yes'), false, 'there is no trouble of hers');
  assert.equal(troubles.isNews(bob, 'no'), true);
});
