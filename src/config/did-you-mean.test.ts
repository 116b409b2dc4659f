import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suggest } from './did-you-mean.ts';

test('suggest() finds a misspelt word and stays silent about a strange one', () => {
  const known = ['allow', 'deny', 'strip_prefix', 'max_body'];
  assert.equal(suggest('alow', known), 'allow');
  assert.equal(suggest('lalow', known), 'allow');
  assert.equal(suggest('strip-prefix', known), 'strip_prefix');
  assert.equal(suggest('MaxBody', known), 'max_body');
  assert.equal(suggest('proxy_pass', known), null);
  assert.equal(suggest('x'.repeat(10_000), known), null);
});
