import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DnsMessage, RCODE, TYPE } from './message.ts';
import { awaitPropagation, type PropagationTools } from './propagation.ts';
import type { Authority } from './resolver.ts';

const NAME = '_acme-challenge.a.example.com';
const signal = new AbortController().signal;

type Says = 'has' | 'lacks' | 'nxdomain' | 'refused' | 'lame' | 'silent';

/** What each address says in each round; the last one stays. */
type Script = Readonly<Record<string, readonly Says[]>>;

function messageOf(says: Says, value: string): DnsMessage {
  const record = {
    name: NAME,
    type: TYPE.TXT,
    class: 1,
    ttl: 60,
    start: 0,
    data: new Uint8Array(),
    target: null,
    address: null,
  };
  const answers =
    says === 'has' || says === 'lame'
      ? [
          { ...record, text: 'another' },
          { ...record, text: value },
        ]
      : [];
  const rcode = { has: 0, lacks: 0, lame: 0, silent: 0, nxdomain: RCODE.NXDOMAIN, refused: RCODE.REFUSED }[says];
  const rest = {
    id: 0,
    opcode: 0,
    isResponse: true,
    isTruncated: false,
    questions: [],
    authorities: [],
    additionals: [],
  };
  return { ...rest, rcode, isAuthoritative: says !== 'lame', answers };
}

interface Outcome {
  readonly waits: readonly number[];
  readonly error: Error | null;
}

async function run(
  script: Script,
  servers: Readonly<Record<string, readonly string[]>>,
  timeoutMs = 60_000,
): Promise<Outcome> {
  const rounds = new Map<string, number>();
  const waits: number[] = [];
  let now = 0;
  const tools: PropagationTools = {
    ask: async ({ address }, { recursion }) => {
      assert.equal(recursion, false);
      const round = rounds.get(address) ?? 0;
      rounds.set(address, round + 1);
      const says = script[address]?.[round] ?? script[address]?.at(-1) ?? 'silent';
      if (says === 'silent') throw new Error('no answer within 3 s');
      return messageOf(says, 'wanted');
    },
    sleep: async (ms) => {
      now += ms;
      waits.push(ms);
    },
    clock: { now: () => now },
  };
  const list = Object.entries(servers).map(([name, addresses]) => ({
    name,
    addresses: addresses.map((address) => ({ address, port: 53 })),
  }));
  const authority: Authority = { zone: 'example.com', servers: list };
  const error = await awaitPropagation({ name: NAME, value: 'wanted', authority, timeoutMs, signal }, tools).then(
    () => null,
    (reason: unknown) => reason as Error,
  );
  return { waits, error };
}

const TWO = { 'ns1.example': ['192.0.2.1'], 'ns2.example': ['192.0.2.2'] };

test('awaitPropagation() returns at once where every server has the value beside others', async () => {
  assert.deepEqual(await run({ '192.0.2.1': ['has'], '192.0.2.2': ['has'] }, TWO), { waits: [], error: null });
});

test('awaitPropagation() waits for the last server, ever longer', async () => {
  const slow = ['lacks', 'lacks', 'nxdomain', 'lacks', 'lacks', 'lacks', 'has'] as const;
  const { waits, error } = await run({ '192.0.2.1': ['has'], '192.0.2.2': slow }, TWO);
  assert.equal(error, null);
  assert.deepEqual(waits, [1000, 2000, 3000, 5000, 8000, 10_000]);
});

test('awaitPropagation() leaves out servers that are silent, refuse or are lame, after three rounds', async () => {
  for (const bad of ['silent', 'refused', 'lame'] as const) {
    const { waits, error } = await run({ '192.0.2.1': ['has'], '192.0.2.2': [bad] }, TWO);
    assert.equal(error, null, bad);
    assert.deepEqual(waits, [1000, 2000], bad);
  }
});

test('awaitPropagation() never takes a lame or silent server alone for an answer', async () => {
  for (const bad of ['silent', 'refused', 'lame'] as const) {
    const { error } = await run({ '192.0.2.1': [bad], '192.0.2.2': [bad] }, TWO, 20_000);
    assert.match(error?.message ?? '', /not every server has the value after 20 s/, bad);
  }
});

test('awaitPropagation() wants the value at every address of a server that answers', async () => {
  const servers = { 'ns1.example': ['192.0.2.1', '2001:db8::1'] };
  const { waits, error } = await run({ '192.0.2.1': ['has'], '2001:db8::1': ['lacks', 'has'] }, servers);
  assert.equal(error, null);
  assert.deepEqual(waits, [1000]);
  // A machine without IPv6: the other address speaks for the server.
  assert.deepEqual(await run({ '192.0.2.1': ['has'], '2001:db8::1': ['silent'] }, servers), { waits: [], error: null });
});

test('awaitPropagation() names each server with what it said when time is up', async () => {
  const servers = { ...TWO, 'ns3.example': [], 'ns4.example': ['192.0.2.4'] };
  const { error } = await run(
    { '192.0.2.1': ['has'], '192.0.2.2': ['nxdomain'], '192.0.2.4': ['silent'] },
    servers,
    5000,
  );
  assert.deepEqual((error as { code?: string } | null)?.code, 'DNS_NOT_PROPAGATED');
  assert.match(
    error?.message ?? '',
    /^Cannot see TXT "_acme-challenge\.a\.example\.com" at the name servers of "example\.com": .*ns1\.example \(192\.0\.2\.1\) has the value, ns2\.example \(192\.0\.2\.2\) has no such record, ns3\.example has no address, ns4\.example \(192\.0\.2\.4\) no answer within 3 s; raise/,
  );
});
