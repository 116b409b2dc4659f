import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderBlock } from '../../wire/header-block.ts';
import { readFront } from './front-says.ts';

test('readFront() believes no name with a dot at its end, and says it without', () => {
  for (const [said, authority, dotless] of [
    ['app.example.com', 'app.example.com', null],
    ['app.example.com.', null, 'app.example.com'],
    ['App.Example.com.:8443', null, 'app.example.com:8443'],
    ['evil.example, app.example.com.', null, 'app.example.com'],
    ['app.example.com..', null, null],
    ['a b.', null, null],
    ['u@app.example.com.', null, null],
    ['.', null, null],
    ['.:443', null, null],
  ] as const) {
    const front = readFront(HeaderBlock.from({ 'X-Forwarded-Host': said }));
    assert.deepEqual([front.authority, front.dotless], [authority, dotless], said);
  }
  assert.equal(
    readFront(HeaderBlock.from({ 'X-Original-URL': 'https://a.example.:8443/x' })).dotless,
    'a.example:8443',
  );
  assert.equal(readFront(new HeaderBlock()).dotless, null);
});
