import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean } from './did-you-mean.ts';

test('didYouMean() names the nearest candidate and nothing far away', () => {
  const kinds = ['user', 'group', 'email', 'email-domain', 'service', 'signed-in'];
  assert.equal(didYouMean('gruop', kinds), 'group');
  assert.equal(didYouMean('User', kinds), 'user');
  assert.equal(didYouMean('signedin', kinds), 'signed-in');
  assert.equal(didYouMean('servce', kinds), 'service');
  assert.equal(didYouMean('weather', kinds), null);
  assert.equal(didYouMean('', kinds), null);
});
