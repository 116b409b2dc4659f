import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNoteTeller } from './note-teller.ts';

test('createNoteTeller() tells each note once whoever has it, anew when it was over for the first, and after a day', () => {
  const told: string[] = [];
  let now = 0;
  const tell = createNoteTeller({ now: () => now }, (note) => told.push(note));
  const after = (subject: string, ...notes: readonly string[]): readonly string[] => {
    tell(subject, notes);
    return told.splice(0);
  };
  assert.deepEqual(after('alice', 'acme', 'other'), ['acme', 'other']);
  assert.deepEqual(after('bob', 'acme'), []);
  assert.deepEqual(after('carol'), [], 'whom it never concerned');
  assert.deepEqual(after('bob', 'acme'), []);
  assert.deepEqual(after('alice', 'other'), []);
  assert.deepEqual(after('bob', 'acme'), ['acme']);
  now += 24 * 3_600_000;
  assert.deepEqual(after('alice', 'other'), ['other']);
});
