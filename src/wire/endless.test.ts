import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Endless } from './endless.ts';

interface Rig {
  readonly endless: Endless<string>;
  readonly ended: string[];
  readonly pass: (ms: number) => void;
}

function open(t: { after: (done: () => void) => void }): Rig {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  let now = 0;
  return {
    endless: new Endless({ now: () => now, everyMs: 100 }),
    ended: [],
    pass(ms) {
      for (let at = 0; at < ms; at += 100) {
        now += 100;
        mock.timers.tick(100);
      }
    },
  };
}

test('Endless.end() gives tunnels a grace, then ends them in turn, each once, those that still come too', (t) => {
  const { endless, ended, pass } = open(t);
  for (let i = 0; i < 10; i++) endless.addTunnel(`tunnel ${i}`, () => ended.push(`tunnel ${i}`));
  endless.delete('tunnel 9');
  const timer = endless.end(1_000);
  pass(900);
  assert.equal(ended.length, 0);
  pass(100);
  assert.equal(ended.length, 2, 'a fifth at once');
  endless.addTunnel('late', () => ended.push('late'));
  pass(1_500);
  assert.equal(ended.length, 10);
  assert.equal(new Set(ended).size, 10);
  assert.ok(ended.includes('late') && !ended.includes('tunnel 9'));
  clearInterval(timer);
});

test('Endless.end() ends event streams once they are older than an answer, and at once those that came back', (t) => {
  const { endless, ended, pass } = open(t);
  endless.addStream('old', () => ended.push('old'));
  pass(40_000);
  endless.addStream('answer', () => ended.push('answer'));
  pass(10_000);
  const timer = endless.end(1_000);
  pass(200);
  endless.addStream('came back', () => ended.push('came back'));
  pass(2_000);
  assert.deepEqual(ended.toSorted(), ['came back', 'old']);
  pass(18_000);
  assert.deepEqual(ended.at(-1), 'answer', 'at 30 s it is no answer any more');
  clearInterval(timer);
});
