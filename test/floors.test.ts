import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { test } from 'node:test';

/** Rooms from the ground up. A file may import its own room and lower floors only. */
const FLOORS: readonly (readonly string[])[] = [
  ['core'],
  ['wire'],
  ['certs/dns'],
  ['config', 'session', 'policy', 'certs', 'store', 'observe'],
  ['route', 'upstream', 'gate', 'sign-in'],
  ['forward-auth'],
  ['edge'],
  ['control'],
  ['cli'],
];
const SRC = resolve(import.meta.dirname, '../src');
const floorOf = new Map(FLOORS.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)));
/** A room within a room: its providers bring their keys of the document along, which `config` reads. ADR 4. */
const INNER = ['certs/dns'];
const roomOf = (path: string): string => {
  const [first = '', second = ''] = path.split(sep);
  return INNER.includes(`${first}/${second}`) ? `${first}/${second}` : first;
};

test('imports only point to lower floors', () => {
  const wrong: string[] = [];
  for (const file of globSync('*/**/*.ts', { cwd: SRC })) {
    const from = roomOf(file);
    const text = readFileSync(resolve(SRC, file), 'utf8');
    for (const [, specifier = ''] of text.matchAll(/(?:from |import\()'(\.[^']+)'/g)) {
      const target = relative(SRC, resolve(SRC, dirname(file), specifier));
      // package.json, and what tests bring along.
      if (target.startsWith('..')) continue;
      const to = roomOf(target);
      const [a, b] = [floorOf.get(from), floorOf.get(to)];
      if (a === undefined) wrong.push(`${file} is in a room without a floor`);
      else if (from !== to && (b === undefined || b >= a)) wrong.push(`${file} -> ${to}/`);
    }
  }
  assert.deepEqual(wrong, []);
});
