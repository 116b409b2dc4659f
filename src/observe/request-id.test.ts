import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptRequestId, createRequestIds } from './request-id.ts';

test('ids are unique over workers, of one form, and would be accepted again', () => {
  const [one, two] = [createRequestIds(), createRequestIds()];
  const ids = Array.from({ length: 1000 }, () => [one(), two()]).flat();
  assert.equal(new Set(ids).size, 2000);
  for (const id of ids) {
    assert.match(id, /^[a-z2-7]{12}[0-9a-z]{8}$/);
    assert.equal(acceptRequestId(id), id);
  }
});

test('acceptRequestId() refuses what could break a line, a header or a page', () => {
  assert.equal(acceptRequestId('4bf92f3577b34da6-a.b_c'), '4bf92f3577b34da6-a.b_c');
  for (const text of [
    null,
    undefined,
    '',
    'short',
    'x'.repeat(65),
    'has space in',
    'line\nbreak-x',
    '<script>abc',
    '-leading-dash',
    'ünïcode-id',
    'id"quoted"',
  ])
    assert.equal(acceptRequestId(text), null);
});
