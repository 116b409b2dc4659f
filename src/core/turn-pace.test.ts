import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { letOthersRun } from './let-others-run.ts';
import { TurnPace } from './turn-pace.ts';

/** A clock that only work moves, and what was begun by each turn's end. */
function rig(budgetMs: number): {
  readonly pace: TurnPace;
  readonly begun: string[];
  readonly spend: (ms: number) => void;
  readonly turns: (count: number) => Promise<string[]>;
} {
  let at = 0;
  const begun: string[] = [];
  return {
    pace: new TurnPace({ budgetMs, now: () => at }),
    begun,
    spend: (ms) => void (at += ms),
    async turns(count) {
      const seen: string[] = [];
      for (let i = 0; i < count; i++) {
        await turn();
        seen.push(begun.join(''));
      }
      return seen;
    },
  };
}

test('TurnPace begins the first of a turn at once, and of a crowd what fits into the time of each turn, in order', async () => {
  const { pace, begun, spend, turns } = rig(1);
  for (const name of 'abcdefgh') {
    pace.begin(() => {
      spend(0.4);
      begun.push(name);
    });
  }
  assert.deepEqual(begun, ['a']);
  assert.equal(pace.waiting, 7);
  assert.deepEqual(await turns(3), ['abcd', 'abcdefg', 'abcdefgh']);
  await turn();
  pace.begin(() => begun.push('i'));
  assert.equal(begun.at(-1), 'i', 'nobody waits any more');
});

test('TurnPace counts what a piece leaves to ticks and promises', async () => {
  const { pace, begun, spend, turns } = rig(1);
  for (const name of 'abcd') {
    pace.begin(() => {
      begun.push(name);
      process.nextTick(() => void Promise.resolve().then(() => spend(1)));
    });
  }
  assert.deepEqual(await turns(3), ['ab', 'abc', 'abcd']);
});

test('TurnPace does one piece a turn however long it takes, so nobody waits for ever', async () => {
  const { pace, begun, spend, turns } = rig(1);
  for (const name of 'abcd') {
    pace.begin(() => {
      begun.push(name);
      spend(50);
    });
  }
  assert.deepEqual(await turns(3), ['ab', 'abc', 'abcd']);
});

test('TurnPace puts nobody who comes later before those who wait', async () => {
  const { pace, begun, turns } = rig(1);
  pace.begin(() => begun.push('a'));
  pace.begin(() => {
    begun.push('b');
    pace.begin(() => begun.push('d'));
  });
  pace.begin(() => begun.push('c'));
  const late = pace.turn().then(() => begun.push('e'));
  await turns(4);
  await late;
  assert.deepEqual(begun.join(''), 'abced');
});

test('TurnPace keeps nothing of what is done', async () => {
  const { pace, begun, spend, turns } = rig(1);
  for (let i = 0; i < 1_000; i++) {
    pace.begin(() => {
      spend(0.1);
      begun.push('.');
    });
  }
  await turns(200);
  assert.equal(begun.length, 1_000);
  assert.equal(pace.waiting, 0);
});

test('TurnPace rests between the turns of a crowd, and only there', async () => {
  let rests = 0;
  let at = 0;
  const pace = new TurnPace({ budgetMs: 1, now: () => at, rest: () => void rests++ });
  pace.begin(() => undefined);
  await turn();
  await turn();
  assert.equal(rests, 0);
  for (let i = 0; i < 5; i++) pace.begin(() => void (at += 1));
  for (let turns = 0; turns < 6; turns++) await turn();
  assert.equal(pace.waiting, 0);
  assert.equal(rests, 4);
});

test('letOthersRun() comes back', () => {
  letOthersRun();
});
