import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderBlock } from '../../wire/header-block.ts';
import { readFront } from './front-says.ts';

function authorityOf(name: string, value: string): string | null {
  const headers = new HeaderBlock();
  headers.append(name, value);
  return readFront(headers).authority;
}

test('readFront() takes a name without the dot that it may end in', () => {
  for (const [said, read] of [
    ['app.example.com.', 'app.example.com'],
    ['App.Example.com.:8443', 'app.example.com:8443'],
    ['evil.example, app.example.com.', 'app.example.com'],
    ['app.example.com..', null],
    ['.', null],
    ['.:443', null],
  ] as const)
    assert.equal(authorityOf('X-Forwarded-Host', said), read, said);
  assert.equal(authorityOf('X-Original-URL', 'https://app.example.com.:8443/x'), 'app.example.com:8443');
});
