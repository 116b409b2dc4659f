import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefreshTroubles } from './refresh-troubles.ts';

const ann = { key: 'a1', subject: 'ann' };
const bob = { key: 'b1', subject: 'bob' };

test('failed() tells whose trouble it is: theirs whom it fails again, while others were answered in between', () => {
  const troubles = new RefreshTroubles();
  assert.equal(troubles.failed(ann), false, 'the first may be an outage');
  assert.equal(troubles.failed(ann), false, 'and still is');
  assert.equal(troubles.failed(bob), false, 'others fail, too');
  troubles.answered(bob);
  assert.equal(troubles.failed(ann), true);
  assert.equal(troubles.failed({ ...ann, key: 'a2' }), true, 'by another session of theirs, too');
  assert.equal(troubles.failed(bob), false, 'who was answered fails: an outage again');
  assert.equal(troubles.failed(ann), true);
});

test('answered() ends the trouble of a person when all that failed was answered', () => {
  const troubles = new RefreshTroubles();
  troubles.failed(ann);
  troubles.failed({ ...ann, key: 'a2' });
  troubles.answered(ann);
  assert.equal(troubles.failed({ ...ann, key: 'a2' }), true);
  troubles.answered({ ...ann, key: 'a2' });
  assert.equal(troubles.failed({ ...ann, key: 'a2' }), false);
});

test('isNews() is true once for each reason, and again once the trouble was over', () => {
  const troubles = new RefreshTroubles();
  assert.equal(troubles.isNews(ann, 'no'), false, 'there is none');
  troubles.failed(ann);
  assert.deepEqual(
    [troubles.isNews(ann, 'no'), troubles.isNews(ann, 'no'), troubles.isNews(ann, 'never')],
    [true, false, true],
  );
  troubles.answered(ann);
  troubles.failed(ann);
  assert.equal(troubles.isNews(ann, 'never'), true);
});

test('Who is in trouble is kept for a thousand people', () => {
  const troubles = new RefreshTroubles();
  troubles.failed(ann);
  for (let i = 0; i < 999; i++) troubles.failed({ key: `k${i}`, subject: `s${i}` });
  troubles.answered(bob);
  assert.equal(troubles.failed(ann), true);
  troubles.failed({ key: 'one', subject: 'too many' });
  assert.equal(troubles.failed(ann), false);
});
