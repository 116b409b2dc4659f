import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { PosternError } from './errors.ts';
import { MASK, redactFacts, redactQuery } from './redact.ts';

test('redactFacts() masks secrets by name, in any spelling and at any depth', () => {
  const secret = 'hunter2';
  const names = [
    'cookie',
    'Set-Cookie',
    'set_cookie',
    'Authorization',
    'proxy-authorization',
    'Postern-Authorization',
    'password',
    'newPassword',
    'token',
    'access_token',
    'csrfToken',
    'client_secret',
    'clientSecret',
    'code',
    'ticketKeys',
    'ticket',
    'privateKey',
    'keyPem',
    'apiKey',
    'x-api-key',
    'credentials',
  ];
  for (const name of names) {
    const facts = {
      [name]: secret,
      deep: { list: [{ [name]: secret }, [name, secret]], map: new Map([[name, secret]]), headers: [[name, secret]] },
    };
    const text = JSON.stringify(redactFacts(facts));
    assert.ok(!text.includes(secret), `${name}: ${text}`);
    assert.equal((JSON.parse(text) as Record<string, unknown>)[name], MASK);
  }
});

test('redactFacts() keeps what is no secret', () => {
  const facts = {
    code: 'UPSTREAM_TIMEOUT',
    tokens: 3,
    ticket: true,
    secret: null,
    path: '/a?b=1',
    cause: { code: 'ECONNREFUSED' },
    when: new Date(0),
    keyboard: 'x',
  };
  assert.deepEqual(
    { ...redactFacts(facts), cause: { ...(redactFacts(facts)['cause'] as object) } },
    { ...facts, when: '1970-01-01T00:00:00.000Z' },
  );
  assert.equal(redactFacts({ code: 'hT9-oauth-code' })['code'], MASK);
});

test('redactFacts() tells an error with its code, facts and causes, without secrets', () => {
  const cause = Object.assign(new Error('connect to http://x/?token=abc failed'), { code: 'ECONNRESET' });
  const text = JSON.stringify(
    redactFacts({ err: new PosternError('UPSTREAM_UNREACHABLE', 'Cannot reach', { password: 'p1', port: 80 }, cause) }),
  );
  assert.deepEqual(JSON.parse(text), {
    err: {
      code: 'UPSTREAM_UNREACHABLE',
      facts: { password: MASK, port: 80 },
      name: 'PosternError',
      message: 'Cannot reach',
      cause: { code: 'ECONNRESET', name: 'Error', message: `connect to http://x/?token=${MASK} failed` },
    },
  });
});

test('redactFacts() survives cycles, depth, buffers and strange values', () => {
  const round: Record<string, unknown> = { key: Buffer.from('k'), bytes: new Uint8Array(3), call: () => 1, big: 10n };
  round['self'] = round;
  let deep: object = {};
  for (let level = 0; level < 100; level += 1) deep = { deep };
  const text = JSON.stringify(redactFacts({ round, deep }));
  assert.match(text, /"self":"\[circular\]"/);
  assert.match(text, /"bytes":"\[3 bytes\]"/);
  assert.match(text, /\[deep\]/);
  fc.assert(
    fc.property(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withTypedArray: true,
        withNullPrototype: true,
      }),
      (value) => {
        JSON.stringify(redactFacts({ value }));
      },
    ),
  );
});

test('redactQuery() masks parameters that carry secrets and leaves the rest byte for byte', () => {
  assert.equal(redactQuery('?a=1&b=%20x'), '?a=1&b=%20x');
  assert.equal(redactQuery('?code=abc&state=s&page=2'), `?code=${MASK}&state=${MASK}&page=2`);
  assert.equal(redactQuery('?tok%65n=abc;PASSWORD=x&token'), `?tok%65n=${MASK};PASSWORD=${MASK}&token`);
  assert.equal(
    redactQuery('?user[password]=x&secret[]=y&%zz=1'),
    `?user[password]=${MASK}&secret[]=${MASK}&%zz=${MASK}`,
  );
  assert.equal(redactQuery('?X-Amz-Signature=abc&sig=x&key=y'), `?X-Amz-Signature=${MASK}&sig=${MASK}&key=${MASK}`);
  assert.equal(redactQuery(''), '');
});
