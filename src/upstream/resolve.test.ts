import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resolver } from './resolve.ts';
import type { Resolved } from './resolve.ts';

function rig(): {
  resolver: Resolver;
  asked: { host: string; done: Resolved }[];
  time: { now: number };
  ask: (host: string) => { error: Error | null; addresses: readonly string[] }[];
} {
  const time = { now: 1_000 };
  const asked: { host: string; done: Resolved }[] = [];
  const resolver = new Resolver({ now: () => time.now }, (host, done) => asked.push({ host, done }));
  const ask = (host: string): { error: Error | null; addresses: readonly string[] }[] => {
    const answers: { error: Error | null; addresses: readonly string[] }[] = [];
    resolver.resolve(host, (error, addresses) => answers.push({ error, addresses }));
    return answers;
  };
  return { resolver, asked, time, ask };
}

test('resolve() asks once for who comes together, and answers at once while fresh', () => {
  const { asked, ask } = rig();
  const [first, second] = [ask('app'), ask('app')];
  assert.equal(asked.length, 1);
  asked[0]?.done(null, ['10.0.0.1']);
  assert.deepEqual([first[0]?.addresses, second[0]?.addresses], [['10.0.0.1'], ['10.0.0.1']]);
  assert.deepEqual(ask('app')[0]?.addresses, ['10.0.0.1']);
  assert.equal(asked.length, 1);
});

test('resolve() uses an old answer while it asks behind it, and bridges a failing name server', () => {
  const { asked, ask, time } = rig();
  ask('app');
  asked[0]?.done(null, ['10.0.0.1']);
  time.now += 6_000;
  assert.deepEqual(ask('app')[0]?.addresses, ['10.0.0.1']);
  asked[1]?.done(new Error('EAI_AGAIN'), []);
  assert.deepEqual(ask('app')[0]?.addresses, ['10.0.0.1']);
  asked[2]?.done(null, ['10.0.0.2']);
  assert.deepEqual(ask('app')[0]?.addresses, ['10.0.0.2']);
  time.now += 61_000;
  assert.equal(ask('app').length, 0, 'an answer of a minute ago is not used');
});

test('resolve() remembers a failure for a second only', () => {
  const { asked, ask, time } = rig();
  const first = ask('gone');
  asked[0]?.done(new Error('ENOTFOUND'), []);
  assert.equal(first[0]?.error?.message, 'ENOTFOUND');
  assert.equal(ask('gone')[0]?.error?.message, 'ENOTFOUND');
  assert.equal(asked.length, 1);
  time.now += 1_000;
  ask('gone');
  assert.equal(asked.length, 2);
});

test('refresh() asks again though the answer is fresh', () => {
  const { resolver, asked, ask } = rig();
  ask('app');
  asked[0]?.done(null, ['10.0.0.1']);
  const seen: (readonly string[])[] = [];
  resolver.refresh('app', (_error, addresses) => seen.push(addresses));
  asked[1]?.done(null, ['10.0.0.9']);
  assert.deepEqual(seen, [['10.0.0.9']]);
  assert.deepEqual(ask('app')[0]?.addresses, ['10.0.0.9']);
});

test('names are bounded: users choose them through templates', () => {
  const { asked, ask } = rig();
  for (let i = 0; i < 1_500; i++) {
    ask(`ide-${i}`);
    asked.at(-1)?.done(null, ['10.0.0.1']);
  }
  ask('ide-0');
  assert.equal(asked.length, 1_501, 'the oldest was forgotten');
});
