import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OnDemand, type AskAnswer, type Demand, type Obtained } from './on-demand.ts';

interface World {
  now: number;
  answer: AskAnswer['kind'];
  obtains: Obtained;
  readonly asked: string[];
  readonly obtained: string[];
  issued: string[];
  perHour: number;
  release: Promise<void>;
  readonly warnings: string[];
}

function open(more: Partial<World> = {}): { world: World; demand: OnDemand } {
  const world: World = {
    now: 1_000_000,
    answer: 'yes',
    obtains: 'there',
    asked: [],
    obtained: [],
    issued: [],
    perHour: 20,
    release: Promise.resolve(),
    warnings: [],
    ...more,
  };
  const demandFor = (name: string): Demand => {
    if (name === 'listed.example.com') return { kind: 'listed' };
    return { kind: name.endsWith('.shops.example.com') ? 'ask' : 'none' };
  };
  const demand = new OnDemand({
    clock: { now: () => world.now },
    logger: {
      debug: () => {},
      info: () => {},
      error: () => {},
      warn: (_, message) => void world.warnings.push(message),
    },
    ask: async (_url, name) => {
      world.asked.push(name);
      await Promise.resolve();
      return world.answer === 'unavailable' ? { kind: world.answer, why: 'it is away' } : { kind: world.answer };
    },
    demandFor,
    settings: () => ({ ask: 'http://127.0.0.1:1/ask', perHour: world.perHour }),
    obtain: async (name) => {
      world.obtained.push(name);
      assert.ok(demand.names().includes(name), 'it is provisioned while it is ordered');
      await world.release;
      if (world.obtains === 'there') world.issued.push(name);
      return world.obtains;
    },
    issued: () => world.issued,
  });
  return { world, demand };
}

test('OnDemand orders for a listed name without asking, for others after a yes', async () => {
  const { world, demand } = open();
  assert.equal(await demand.demand('listed.example.com'), true);
  assert.deepEqual(world.asked, []);
  assert.equal(await demand.demand('a.shops.example.com'), true);
  assert.deepEqual(world.asked, ['a.shops.example.com']);
  assert.deepEqual(demand.names(), ['listed.example.com', 'a.shops.example.com'], 'both are renewed from now on');
});

test('OnDemand refuses unknown names, what is no public name, and whatever is not answered with yes', async () => {
  const { world, demand } = open();
  const odd = [
    'other.example.com',
    'shops',
    '192.0.2.1',
    '::1',
    '*.shops.example.com',
    'a..shops.example.com',
    'A.shops.example.com',
    `${'a'.repeat(64)}.shops.example.com`,
    'x\0.shops.example.com',
    '',
  ];
  for (const name of odd) assert.equal(await demand.demand(name), false, name);
  assert.deepEqual(world.asked, []);
  for (const answer of ['no', 'unavailable'] as const) {
    world.answer = answer;
    assert.equal(await demand.demand(`${answer}.shops.example.com`), false);
  }
  assert.deepEqual(world.obtained, []);
});

test('OnDemand remembers a no for a minute, so that a flood of handshakes asks once', async () => {
  const { world, demand } = open({ answer: 'no' });
  for (let i = 0; i < 50; i++) await demand.demand('a.shops.example.com');
  assert.equal(world.asked.length, 1);
  world.now += 61_000;
  world.answer = 'yes';
  assert.equal(await demand.demand('a.shops.example.com'), true);
});

test('OnDemand asks again soon where the program did not answer, and says so once a minute', async () => {
  const { world, demand } = open({ answer: 'unavailable' });
  for (let i = 0; i < 10; i++) await demand.demand('a.shops.example.com');
  await demand.demand('b.shops.example.com');
  assert.deepEqual(world.asked, ['a.shops.example.com', 'b.shops.example.com'], 'a flood asks once');
  assert.deepEqual(world.warnings, [
    'Certificate not ordered for "a.shops.example.com": acme.on_demand.ask says neither yes nor no: it is away (let it answer 200 or 404 within five seconds; it is asked again at the next visit)',
  ]);
  world.now += 3_001;
  world.answer = 'yes';
  assert.equal(await demand.demand('a.shops.example.com'), true);
  world.now += 60_000;
  world.answer = 'unavailable';
  await demand.demand('c.shops.example.com');
  assert.equal(world.warnings.length, 2);
});

test('OnDemand refuses a name for seconds only where too many were asked about at a time', async () => {
  const { world, demand } = open();
  for (let i = 0; i < 21; i++) await demand.demand(`n${i}.shops.example.com`);
  assert.equal(world.asked.length, 20);
  assert.ok(!world.obtained.includes('n20.shops.example.com'));
  world.perHour = 100;
  world.now += 3_001;
  assert.equal(await demand.demand('n20.shops.example.com'), true);
});

test('OnDemand orders once for all who wait, a few names at a time, and only so many in an hour', async () => {
  let free = (): void => undefined;
  const release = new Promise<void>((done) => (free = done));
  const { world, demand } = open({ release, perHour: 10 });
  const same = Array.from({ length: 30 }, () => demand.demand('a.shops.example.com'));
  const others = Array.from({ length: 20 }, (_, i) => demand.demand(`n${i}.shops.example.com`));
  await new Promise((done) => setImmediate(done));
  assert.equal(world.obtained.length, 8);
  free();
  assert.deepEqual(new Set(await Promise.all(same)), new Set([true]));
  assert.equal((await Promise.all(others)).filter(Boolean).length, 7);
  let more = 0;
  for (let i = 20; i < 30; i++) if (await demand.demand(`n${i}.shops.example.com`)) more++;
  assert.equal(more, 2, 'ten in an hour');
  world.now += 3_600_001;
  assert.equal(await demand.demand('late.shops.example.com'), true);
});

test('OnDemand bounds how often the program is asked, and how many names it remembers', async () => {
  const { world, demand } = open({ answer: 'no' });
  for (let i = 0; i < 500; i++) await demand.demand(`n${i}.shops.example.com`);
  assert.equal(world.asked.length, 20);
});

test('recheck() ends the renewal of a name that is not wanted any more, until it is again', async () => {
  const { world, demand } = open({ issued: ['a.shops.example.com', 'listed.example.com', 'other.example.com'] });
  assert.deepEqual(demand.names(), ['a.shops.example.com', 'listed.example.com']);
  world.answer = 'no';
  await demand.recheck();
  assert.deepEqual(demand.names(), ['listed.example.com']);
  world.answer = 'unavailable';
  await demand.recheck();
  assert.deepEqual(demand.names(), ['listed.example.com']);
  world.answer = 'yes';
  await demand.recheck();
  assert.deepEqual(demand.names(), ['a.shops.example.com', 'listed.example.com']);
});

test('OnDemand takes nothing from the names of an hour where no CA was asked, and tries again soon', async () => {
  const { world, demand } = open({ obtains: 'untried', perHour: 2 });
  for (let visit = 0; visit < 50; visit += 1) {
    assert.equal(await demand.demand('a.shops.example.com'), false);
    world.now += 2_000;
  }
  assert.ok(world.obtained.length <= 10, 'a flood asks every ten seconds');
  assert.deepEqual(world.warnings, []);
  world.obtains = 'there';
  world.now += 10_000;
  assert.equal(await demand.demand('a.shops.example.com'), true);
  assert.equal(await demand.demand('b.shops.example.com'), true);
  assert.equal(await demand.demand('c.shops.example.com'), false, 'two in an hour');
});

test('OnDemand refuses nobody until a clock that was set back has caught up', async () => {
  const { world, demand } = open({ answer: 'no', perHour: 1 });
  world.now += 9 * 3_600_000;
  assert.equal(await demand.demand('a.shops.example.com'), false);
  world.answer = 'yes';
  assert.equal(await demand.demand('b.shops.example.com'), true);
  world.now -= 9 * 3_600_000;
  assert.equal(await demand.demand('a.shops.example.com'), true);
});

test('OnDemand bounds how many names are tried in vain while their CA is away', async () => {
  const { world, demand } = open({ obtains: 'untried', perHour: 2 });
  for (let visit = 0; visit < 600; visit += 1) {
    assert.equal(await demand.demand(`n${visit}.shops.example.com`), false);
    world.now += 100;
  }
  assert.ok(world.obtained.length <= 60, `in a minute: ${world.obtained.length}`);
  world.obtains = 'there';
  world.now += 60_000;
  assert.equal(await demand.demand('late.shops.example.com'), true);
});
