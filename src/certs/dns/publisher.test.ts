import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as breath } from 'node:timers/promises';
import { memoryJournal } from '../../../test/support/txt-journal.ts';
import type { DnsProvider, TxtJournal, TxtPublisher } from './dns-provider.ts';
import { type DnsMessage, TYPE } from './message.ts';
import { createTxtPublisher } from './publisher.ts';

const signal = new AbortController().signal;
const NAME = '_acme-challenge.a.example';

interface Rig {
  readonly publisher: TxtPublisher;
  readonly journal: TxtJournal;
  readonly zone: Map<string, Set<string>>;
  /** What happened, in order. */
  readonly log: string[];
  readonly waits: number[];
  /** Makes the next removal fail. */
  readonly breakRemoval: () => void;
}

interface Options {
  readonly cnames?: Readonly<Record<string, string>>;
  readonly journal?: TxtJournal;
  readonly valuesPerName?: number;
  readonly delayMs?: number;
}

function rigOf({ cnames = {}, journal = memoryJournal(), valuesPerName, delayMs }: Options = {}): Rig {
  const zone = new Map<string, Set<string>>();
  const log: string[] = [];
  const waits: number[] = [];
  let isBroken = false;
  const provider: DnsProvider = {
    name: 'mine',
    ...(valuesPerName !== undefined && { valuesPerName }),
    setTxt: async (fqdn, value) => {
      log.push(`set ${fqdn} ${value}`);
      zone.set(fqdn, (zone.get(fqdn) ?? new Set()).add(value));
    },
    removeTxt: async (fqdn, value) => {
      log.push(`remove ${fqdn} ${value}`);
      if (isBroken) throw new Error('the provider is away');
      zone.get(fqdn)?.delete(value);
    },
  };
  const logged: TxtJournal = {
    add: async (record) => {
      log.push(`journal ${record.fqdn} ${record.value}`);
      await journal.add(record);
    },
    remove: async (record) => {
      log.push(`forget ${record.fqdn} ${record.value}`);
      await journal.remove(record);
    },
    list: () => journal.list(),
  };
  const publisher = createTxtPublisher({
    provider,
    settings: { propagationTimeoutMs: 1000, propagationDelayMs: delayMs ?? null },
    resolver: {
      followCnames: async (name) => cnames[name] ?? name,
      findAuthority: async () => ({
        zone: 'example',
        servers: [{ name: 'ns', addresses: [{ address: '192.0.2.1', port: 53 }] }],
      }),
    },
    journal: logged,
    tools: {
      ask: async (_, { name }) => answerOf(name, [...(zone.get(name) ?? [])]),
      sleep: async (ms) => void waits.push(ms),
      clock: { now: () => 0 },
    },
  });
  return { publisher, journal, zone, log, waits, breakRemoval: () => void (isBroken = !isBroken) };
}

function answerOf(name: string, values: readonly string[]): DnsMessage {
  const rest = { type: TYPE.TXT, class: 1, ttl: 60, start: 0, data: new Uint8Array(), target: null, address: null };
  const answers = values.map((text) => ({ name, text, ...rest }));
  return {
    id: 0,
    opcode: 0,
    rcode: 0,
    isResponse: true,
    isAuthoritative: true,
    isTruncated: false,
    questions: [],
    answers,
    authorities: [],
    additionals: [],
  };
}

test('publish() journals before it sets, withdraw() forgets after it removed', async () => {
  const { publisher, journal, log } = rigOf();
  await publisher.publish(NAME, 'v', signal);
  await publisher.withdraw(NAME, 'v', signal);
  assert.deepEqual(log, [`journal ${NAME} v`, `set ${NAME} v`, `remove ${NAME} v`, `forget ${NAME} v`]);
  assert.deepEqual(await journal.list(), []);
});

test('publish() sets the value where the CNAMEs lead, and withdraw() removes it there though they changed', async () => {
  const cnames: Record<string, string> = { [NAME]: 'x.acme.other' };
  const { publisher, zone } = rigOf({ cnames });
  await publisher.publish(NAME, 'v', signal);
  assert.deepEqual([...(zone.get('x.acme.other') ?? [])], ['v']);
  delete cnames[NAME];
  await publisher.withdraw(NAME, 'v', signal);
  assert.deepEqual([...(zone.get('x.acme.other') ?? [])], []);
});

test('publish() refuses a CNAME to a name that could change a request', async () => {
  for (const target of ['a/../zones', 'a\\032b', 'x?y=z', '']) {
    const { publisher, log } = rigOf({ cnames: { [NAME]: target } });
    await assert.rejects(publisher.publish(NAME, 'v', signal), {
      code: 'DNS_LOOKUP_FAILED',
      message: /is no name for a record/,
    });
    assert.deepEqual(log, []);
  }
});

test('withdrawLeftovers() removes what a process that was killed left, at every point', async () => {
  const journal = memoryJournal();
  const first = rigOf({ journal });
  await first.publisher.publish(NAME, 'set', signal);
  await journal.add({ provider: 'mine', fqdn: NAME, value: 'never set' });
  await journal.add({ provider: 'another', fqdn: NAME, value: 'not ours' });
  const second = rigOf({ journal });
  second.zone.set(NAME, new Set(['set']));
  await second.publisher.publish(NAME, 'running', signal);
  assert.deepEqual(await second.publisher.withdrawLeftovers(signal), []);
  assert.deepEqual([...(second.zone.get(NAME) ?? [])], ['running']);
  assert.deepEqual(
    (await journal.list()).map(({ value }) => value),
    ['not ours', 'running'],
  );
});

test('withdrawLeftovers() tells what it could not remove, and the journal keeps it', async () => {
  const journal = memoryJournal();
  const rig = rigOf({ journal });
  await rig.publisher.publish(NAME, 'v', signal);
  rig.breakRemoval();
  await assert.rejects(rig.publisher.withdraw(NAME, 'v', signal), /is away/);
  const [leftover] = await rig.publisher.withdrawLeftovers(signal);
  assert.deepEqual(
    [leftover?.fqdn, leftover?.value, String(leftover?.error)],
    [NAME, 'v', 'Error: the provider is away'],
  );
  assert.equal((await journal.list()).length, 1);
  rig.breakRemoval();
  assert.deepEqual(await rig.publisher.withdrawLeftovers(signal), []);
  assert.deepEqual(await journal.list(), []);
});

test('withdraw() finds a value of an earlier process in the journal', async () => {
  const journal = memoryJournal();
  await rigOf({ journal, cnames: { [NAME]: 'there.example' } }).publisher.publish(NAME, 'v', signal);
  const { publisher, log } = rigOf({ journal });
  await publisher.withdraw(NAME, 'v', signal);
  await publisher.withdraw(NAME, 'unknown', signal);
  assert.deepEqual(log, ['remove there.example v', 'forget there.example v']);
});

test('publish() lets a value wait where the provider holds only one, until the other is withdrawn', async () => {
  const { publisher, log } = rigOf({ valuesPerName: 1 });
  await publisher.publish(NAME, 'v1', signal);
  const second = publisher.publish(NAME, 'v2', signal);
  await breath();
  assert.ok(!log.includes(`set ${NAME} v2`));
  await publisher.publish(NAME, 'v1', signal);
  await publisher.withdraw(NAME, 'v1', signal);
  await second;
  assert.ok(log.indexOf(`remove ${NAME} v1`) < log.indexOf(`set ${NAME} v2`));
});

test('publish() stops waiting for a place when it is told to', async () => {
  const { publisher } = rigOf({ valuesPerName: 1 });
  await publisher.publish(NAME, 'v1', signal);
  const controller = new AbortController();
  const second = publisher.publish(NAME, 'v2', controller.signal);
  await breath();
  controller.abort(new Error('withdrawn'));
  await assert.rejects(second, /withdrawn/);
  await publisher.withdraw(NAME, 'v1', signal);
  await publisher.publish(NAME, 'v3', signal);
});

test('publish() waits as long as propagation_delay says, instead of asking', async () => {
  const { publisher, waits } = rigOf({ delayMs: 120_000 });
  await publisher.publish(NAME, 'v', signal);
  assert.deepEqual(waits, [120_000]);
});
