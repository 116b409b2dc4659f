import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectionFacts, Exchange } from '../wire/exchange.ts';
import { createHandshakeCheck } from './handshake-policy.ts';

/** Policies of names, as the running document has them. */
function checkOf(names: Readonly<Record<string, string>>): ReturnType<typeof createHandshakeCheck> {
  return createHandshakeCheck({
    hasClientAuth: () => Object.keys(names).length > 0,
    clientAuthFor: (name) => (name !== null && name in names ? { policyId: names[name] as string } : null),
  });
}

function connection(
  serverName: string,
  clientAuth: string | null,
  scheme: 'http' | 'https' = 'https',
): ConnectionFacts {
  return { scheme, serverName, clientAuth } as unknown as ConnectionFacts;
}

const asks = (from: ConnectionFacts, host: string): Pick<Exchange, 'connection' | 'request'> =>
  ({ connection: from, request: { host } }) as unknown as Exchange;

test('isMisdirected() compares what the handshake asked for with what the host asks for', () => {
  const { isMisdirected } = checkOf({ 'a.test': 'one', 'b.test': 'one', 'c.test': 'two' });
  const one = connection('a.test', 'one');
  assert.deepEqual(
    ['a.test', 'b.test', 'c.test', 'open.test'].map((host) => isMisdirected(asks(one, host))),
    [false, false, true, true],
  );
  const none = connection('open.test', null);
  assert.equal(isMisdirected(asks(none, 'other.test')), false);
  assert.equal(isMisdirected(asks(none, 'a.test')), true);
  assert.equal(
    isMisdirected(asks(connection('a.test', null, 'http'), 'a.test')),
    false,
    'nothing is asked without TLS',
  );
});

test('a connection of an older document is outdated once its name asks for something else', () => {
  const before = connection('a.test', 'one');
  const open = connection('a.test', null);
  for (const [names, ofBefore, ofOpen] of [
    [{ 'a.test': 'one' }, false, true],
    [{ 'a.test': 'two' }, true, true],
    [{}, true, false],
  ] as const) {
    const { isOutdated, isMisdirected } = checkOf(names);
    assert.deepEqual([isOutdated(before), isOutdated(open)], [ofBefore, ofOpen]);
    assert.deepEqual([isMisdirected(asks(before, 'a.test')), isMisdirected(asks(open, 'a.test'))], [ofBefore, ofOpen]);
  }
});
