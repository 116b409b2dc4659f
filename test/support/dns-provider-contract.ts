/**
 * The promises that every DNS provider keeps. The twins of the HTTP providers run it, and so do the real servers
 * that can be had here, as far as a real server can be made to fail.
 */
import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { createDnsProvider, PROVIDER_TYPES } from '../../src/certs/dns/catalog.ts';
import type { DnsProvider } from '../../src/certs/dns/dns-provider.ts';
import { PosternError } from '../../src/core/errors.ts';
import { startTwin, type Twin, type TwinRig, type Values } from './dns-twins/twin.ts';

const NAME = '_acme-challenge.app.example.com';
const FIRST = 'gfj9Xq-Rg85nM_6Yq1Fzr3rS9mUXo1Aa7t2cB0kQdZE';
const SECOND = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0';
const signal = new AbortController().signal;

export function providerWith(type: string, values: Values, { tools }: Pick<TwinRig, 'tools'>): DnsProvider {
  const common = { resolvers: [], propagationTimeoutMs: 1000, propagationDelayMs: null, at: [] };
  return createDnsProvider({ name: 'mine', type, values, ...common }, tools);
}

/** What every implementation does where all goes well; `valuesOf` looks at the server. */
export function setContract(
  { isWhole }: { readonly isWhole: boolean },
  open: (t: TestContext) => Promise<SetRig>,
): void {
  test('setTxt() sets a value, once, however often it is called', async (t) => {
    const { provider, name, valuesOf } = await open(t);
    await provider.setTxt(name, FIRST, signal);
    await provider.setTxt(name, FIRST, signal);
    assert.deepEqual(await valuesOf(name), [FIRST]);
  });

  if (isWhole) manyValuesContract(open);

  test('setTxt() refuses a name or value that could change the request', async (t) => {
    const { provider } = await open(t);
    for (const [name, value] of [
      ['a/../b.example.com', 'x'],
      ['a?b.example.com', 'x'],
      ['', 'x'],
      ['a..example.com', 'x'],
      ['a.example.com', 'x\ny'],
      ['a.example.com', 'é'],
    ] as const) {
      await assert.rejects(provider.setTxt(name, value, signal), { name: 'TypeError' }, JSON.stringify([name, value]));
      await assert.rejects(provider.removeTxt(name, value, signal), { name: 'TypeError' });
    }
  });
}

/** Where a name holds several values, each of which can be removed. */
function manyValuesContract(open: (t: TestContext) => Promise<SetRig>): void {
  test('setTxt() keeps the first value beside a second, removeTxt() the second', async (t) => {
    const { provider, name, valuesOf } = await open(t);
    await provider.setTxt(name, FIRST, signal);
    await provider.setTxt(name, SECOND, signal);
    assert.deepEqual([...(await valuesOf(name))].sort(), [SECOND, FIRST].sort());
    await provider.removeTxt(name, FIRST, signal);
    assert.deepEqual(await valuesOf(name), [SECOND]);
    await provider.removeTxt(name, FIRST, signal);
    await provider.removeTxt(name, SECOND, signal);
    await provider.removeTxt(name, SECOND, signal);
    assert.deepEqual(await valuesOf(name), []);
  });

  test('setTxt() and removeTxt() of one name side by side lose nothing', async (t) => {
    const { provider, name, valuesOf } = await open(t);
    const values = ['v1', 'v2', 'v3', 'v4'];
    await Promise.all(values.map((value) => provider.setTxt(name, value, signal)));
    assert.deepEqual([...(await valuesOf(name))].sort(), values);
    await Promise.all([
      provider.removeTxt(name, 'v2', signal),
      provider.setTxt(name, 'v5', signal),
      provider.removeTxt(name, 'v4', signal),
    ]);
    assert.deepEqual([...(await valuesOf(name))].sort(), ['v1', 'v3', 'v5']);
  });
}

export interface SetRig {
  readonly provider: DnsProvider;
  readonly name: string;
  readonly valuesOf: (fqdn: string) => readonly string[] | Promise<readonly string[]>;
}

export function twinContract(make: (origin: string) => Twin): void {
  const kind = make('http://127.0.0.1:1');
  const { type } = kind;
  suite(`${type} keeps the contract of DNS providers against its twin`, () => {
    setContract({ isWhole: kind.isWhole }, async (t) => {
      const rig = await open(t, make);
      return { ...rig, valuesOf: rig.twin.valuesOf };
    });
    failureContract(make);
    if (kind.hasZones) zoneContract(make);
    if (kind.seed !== undefined) othersContract(make);
    if (kind.conflictOnce !== undefined) conflictContract(make);
  });
}

function failureContract(make: (origin: string) => Twin): void {
  test('setTxt() says which host refused the credentials, in its words, and what they need', async (t) => {
    const { rig, twin, name } = await open(t, make);
    const error = await rejection(providerWith(twin.type, twin.wrongSettings, rig).setTxt(name, FIRST, signal));
    assert.equal(error.code, 'DNS_PROVIDER_REFUSED');
    assert.ok(error.message.includes(hostOf(twin, rig)), error.message);
    const { permission } = PROVIDER_TYPES.find((one) => one.type === twin.type) ?? { permission: 'none' };
    assert.ok(error.message.endsWith(permission), error.message);
    assertNoSecrets(error, twin);
  });

  test('setTxt() waits as long as 429 asks for, and goes on', async (t) => {
    const { rig, twin, provider, name } = await open(t, make);
    rig.faults.push({ status: 429, text: 'slow down', headers: { 'retry-after': '7' } });
    await provider.setTxt(name, FIRST, signal);
    assert.ok(
      rig.waits.some((ms) => ms >= 7000),
      String(rig.waits),
    );
    assert.deepEqual(twin.valuesOf(name), [FIRST]);
  });

  test('setTxt() gives up where 429 asks for longer than a minute', async (t) => {
    const { rig, provider, name } = await open(t, make);
    rig.faults.push({ status: 429, headers: { 'retry-after': '3600' } });
    const error = await rejection(provider.setTxt(name, FIRST, signal));
    assert.equal(error.code, 'DNS_PROVIDER_UNAVAILABLE');
    assert.match(error.message, /3600 s/);
  });

  test('setTxt() survives one 500', async (t) => {
    const { rig, twin, provider, name } = await open(t, make);
    rig.faults.push({ status: 500, text: 'oops' });
    await provider.setTxt(name, FIRST, signal);
    assert.deepEqual(twin.valuesOf(name), [FIRST]);
  });

  for (const fault of [{ status: 500 }, 'lost'] as const) {
    const what = fault === 'lost' ? 'a lost answer' : 'a 500';
    test(`setTxt() and removeTxt() survive ${what} at each of their requests`, async (t) => {
      const count = await requestsOf(t, make);
      for (let at = 0; at < count; at++) {
        const { rig, twin, provider, name } = await open(t, make);
        rig.faults.push(...Array.from({ length: at }, () => 'pass' as const), fault);
        await provider.setTxt(name, FIRST, signal);
        const between = [...twin.valuesOf(name)];
        await provider.removeTxt(name, FIRST, signal);
        assert.equal(rig.faults.length, 0, `request ${at}`);
        assert.deepEqual(new Set(between), new Set([FIRST]), `request ${at}`);
        if (twin.isWhole) assert.deepEqual(twin.valuesOf(name), [], `request ${at}`);
      }
    });
  }

  test('setTxt() reports a 500 that stays, with its words made harmless', async (t) => {
    const { rig, provider, name } = await open(t, make);
    for (let i = 0; i < 4; i++) rig.faults.push({ status: 500, text: 'oops \u001B[31m' });
    const error = await rejection(provider.setTxt(name, FIRST, signal));
    assert.equal(error.code, 'DNS_PROVIDER_UNAVAILABLE');
    assert.match(error.message, /answered 500: "oops \\u001b\[31m/);
  });

  test('setTxt() calls a web page one, with its title', async (t) => {
    const { rig, twin, provider, name } = await open(t, make);
    const page = '<!DOCTYPE html><html><head><title>Captive portal</title></head><body>Please sign in</body></html>';
    for (let i = 0; i < 4; i++)
      rig.faults.push({
        status: twin.type === 'webhook' ? 502 : 200,
        text: page,
        headers: { 'content-type': 'text/html' },
      });
    const error = await rejection(provider.setTxt(name, FIRST, signal));
    assert.equal(error.code, 'DNS_PROVIDER_UNAVAILABLE');
    assert.ok(error.message.includes(hostOf(twin, rig)), error.message);
  });

  test('setTxt() does not wait for an answer for ever, and says so', async (t) => {
    const { rig, provider, name } = await open(t, make, 80);
    for (let i = 0; i < 4; i++) rig.faults.push('hang');
    const error = await rejection(provider.setTxt(name, FIRST, signal));
    assert.equal(error.code, 'DNS_PROVIDER_UNAVAILABLE');
    assert.match(error.message, /no answer within 0\.08 s/);
  });

  test('setTxt() stops at once when it is told to', async (t) => {
    const { rig, provider, name } = await open(t, make);
    rig.faults.push('hang');
    const controller = new AbortController();
    const reason = new Error('the order was withdrawn');
    const running = provider.setTxt(name, FIRST, controller.signal);
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(running, (error) => error === reason);
    await assert.rejects(provider.removeTxt(name, FIRST, controller.signal), (error) => error === reason);
  });

  test('setTxt() follows no redirect, which could carry the credentials away', async (t) => {
    const { rig, provider, name } = await open(t, make);
    rig.faults.push({ status: 302, headers: { location: 'https://evil.example/' } });
    const error = await rejection(provider.setTxt(name, FIRST, signal));
    assert.equal(error.code, 'DNS_PROVIDER_REFUSED');
    assert.equal(rig.requests.length, 1);
  });
}

function zoneContract(make: (origin: string) => Twin): void {
  test('setTxt() says that there is no zone for the name', async (t) => {
    const { twin, provider } = await open(t, make);
    const missing = twin.names?.missing ?? '_acme-challenge.app.elsewhere.test';
    const error = await rejection(provider.setTxt(missing, FIRST, signal));
    assert.equal(error.code, 'DNS_ZONE_MISSING');
    assert.ok(error.message.includes(`"${missing}"`), error.message);
  });
}

function othersContract(make: (origin: string) => Twin): void {
  test('setTxt() puts a name into the most specific zone, and a zone of its own at its top', async (t) => {
    const { twin, provider } = await open(t, make);
    for (const name of ['_acme-challenge.a.dev.example.com', '_acme-challenge.dev.example.com', 'own.other.example']) {
      await provider.setTxt(name, FIRST, signal);
      assert.deepEqual(twin.valuesOf(name), [FIRST], name);
      await provider.removeTxt(name, FIRST, signal);
      assert.deepEqual(twin.valuesOf(name), [], name);
    }
  });

  test("setTxt() and removeTxt() leave somebody else's values, however many", async (t) => {
    const { twin, provider, name } = await open(t, make);
    const others = Array.from({ length: 12 }, (_, index) => `other-${index}`);
    for (const other of others) twin.seed?.(name, other);
    await provider.setTxt(name, FIRST, signal);
    assert.deepEqual(new Set(twin.valuesOf(name)), new Set([...others, FIRST]));
    await provider.setTxt(name, 'other-11', signal);
    assert.equal(twin.valuesOf(name).length, 13);
    await provider.removeTxt(name, FIRST, signal);
    assert.deepEqual(new Set(twin.valuesOf(name)), new Set(others));
  });
}

function conflictContract(make: (origin: string) => Twin): void {
  test('setTxt() notices that somebody changed the set in between', async (t) => {
    const { twin, provider, name } = await open(t, make);
    twin.conflictOnce?.(name, 'from-elsewhere');
    await provider.setTxt(name, FIRST, signal);
    assert.deepEqual([...twin.valuesOf(name)].sort(), ['from-elsewhere', FIRST].sort());
  });
}

interface OpenRig {
  readonly rig: TwinRig;
  readonly twin: Twin;
  readonly provider: DnsProvider;
  readonly name: string;
}

/** How many requests setting and removing a value takes. */
async function requestsOf(t: TestContext, make: (origin: string) => Twin): Promise<number> {
  const { rig, provider, name } = await open(t, make);
  await provider.setTxt(name, FIRST, signal);
  await provider.removeTxt(name, FIRST, signal);
  return rig.requests.length;
}

async function open(t: TestContext, make: (origin: string) => Twin, timeoutMs?: number): Promise<OpenRig> {
  const rig = await startTwin(make, timeoutMs);
  const { twin } = rig;
  t.after(async () => {
    await rig.close();
    assert.deepEqual(rig.violations, []);
  });
  return { rig, twin, provider: providerWith(twin.type, twin.settings, rig), name: twin.names?.plain ?? NAME };
}

export async function rejection(promise: Promise<unknown>): Promise<PosternError> {
  const error: unknown = await promise.then(
    () => assert.fail('nothing was rejected'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PosternError, String((error as Error).stack));
  assert.doesNotMatch(error.message, /[\u0000-\u001F]/);
  return error;
}

function hostOf(twin: Twin, { origin }: TwinRig): string {
  return twin.host === 'own' ? new URL(origin).host : twin.host;
}

function assertNoSecrets(error: PosternError, { type, wrongSettings }: Twin): void {
  const keys = PROVIDER_TYPES.find((one) => one.type === type)?.keys ?? {};
  const told = JSON.stringify([error.message, error.facts]);
  for (const [key, value] of Object.entries(wrongSettings)) {
    if (keys[key]?.isSecret !== true || typeof value !== 'string') continue;
    assert.ok(!told.includes(value), `${key} stands in ${told}`);
  }
}
