import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { makeStringsFast } from './fast-strings.ts';

setFlagsFromString('--allow-natives-syntax');
const areStringsFast = runInThisContext('() => %HasFastProperties(String.prototype)') as () => boolean;

test('makeStringsFast() undoes what a class that extends String does to the methods of all strings', () => {
  assert.ok(areStringsFast());
  const made = class extends String {};
  assert.equal(new made('a').length, 1);
  assert.equal(areStringsFast(), false, 'if this is true, V8 needs no help any more: then the function can go');
  makeStringsFast();
  assert.ok(areStringsFast());
});
