import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Roster } from './roster.ts';

test('Roster holds the same as a Set, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(20)), { maxLength: 200 }), (steps) => {
      const people = Array.from({ length: 21 }, (_, id) => ({ id, seat: -1 }));
      const roster = new Roster<(typeof people)[number]>();
      const model = new Set<number>();
      for (const [comes, id] of steps) {
        const person = people[id] as (typeof people)[number];
        if (comes) {
          roster.add(person);
          model.add(id);
        } else {
          assert.equal(roster.remove(person), model.delete(id));
        }
        assert.equal(roster.size, model.size);
      }
      const odd = roster.take(({ id }) => id % 2 === 1).map(({ id }) => id);
      assert.deepEqual(new Set(odd), new Set([...model].filter((id) => id % 2 === 1)));
      assert.deepEqual(
        new Set(roster.take(() => true).map(({ id }) => id)),
        new Set([...model].filter((id) => id % 2 === 0)),
      );
      assert.equal(roster.size, 0);
    }),
  );
});
