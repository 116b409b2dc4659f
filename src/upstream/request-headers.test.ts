import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fieldValue } from './header-edits.ts';
import { createStripList, DROP, foldName, KEEP, verdictOf } from './header-verdict.ts';
import { buildRequestFields } from './request-headers.ts';
import { actionTo, FakeExchange, planFor } from './test-rig.ts';

const FAMILY = [
  'X-Forwarded-User',
  'X-Forwarded-Email',
  'X-Forwarded-Groups',
  'X-Forwarded-Preferred-Username',
  'X-Forwarded-Name',
  'X-Forwarded-Prefix',
  'X-Forwarded-Client-Cert',
  'X-Auth-Request-User',
  'Remote-User',
  'Remote-Groups',
  'X-Original-URL',
  'X-Rewrite-URL',
  'Postern-Assertion',
  'X-OAUTH2-PROXY-ID-TOKEN',
  'X-Authentik-Username',
  'X-Pomerium-Jwt-Assertion',
  'X-Vouch-User',
  'X-Amzn-Oidc-Data',
  'X-MS-Client-Principal',
  'X-MS-Token-AAD-Id-Token',
  'Tailscale-User-Login',
  'X-Remote-Name',
  'X-Real-IP',
  'True-Client-IP',
  'X-Request-Id',
  // RFC 9440 section 4: whoever ends TLS removes these. Kubernetes and Kong say by the others who comes.
  'Client-Cert',
  'Client-Cert-Chain',
  'X-Client-Cert',
  'X-Remote-Group',
  'X-Remote-Extra-Scopes',
  'X-Authenticated-User',
  'X-Consumer-Username',
];

test('no spelling of a field about the visitor is kept', () => {
  const separator = fc.constantFrom('-', '_', '.', '~', '!', '|', '*');
  fc.assert(
    fc.property(fc.constantFrom(...FAMILY), fc.array(separator, { minLength: 5, maxLength: 5 }), (name, marks) => {
      let at = 0;
      const alias = name.toLowerCase().replaceAll('-', () => marks[at++] as string);
      assert.equal(verdictOf(alias), DROP, alias);
    }),
  );
  for (const name of FAMILY) assert.equal(verdictOf(name.toLowerCase()), DROP, name);
});

test('ordinary fields are kept, and many names do not grow the memory of verdicts', () => {
  for (const key of [
    'accept',
    'x-csrf-token',
    'x-user-agent',
    'content-type',
    'if-none-match',
    'traceparent',
    'x-scope-orgid',
    'early-data',
  ]) {
    assert.equal(verdictOf(key), KEEP, key);
  }
  for (let i = 0; i < 20_000; i++) verdictOf(`x-${i}`);
  assert.equal(verdictOf('x-forwarded_user'), DROP);
  assert.equal(verdictOf('early_data'), DROP, 'no app is told of early data by an alias');
  assert.equal(foldName('x.forwarded~user'), 'x_forwarded_user');
});

test('createStripList() knows every spelling of the names that are not dropped for all, and is null without any', () => {
  assert.equal(createStripList(['X-Forwarded-User', 'Remote-User', 'Postern-Assertion']), null);
  const list = createStripList(['X-Id_Token', 'Remote-User']);
  for (const key of ['x-id-token', 'x_id_token', 'x.id-token', 'x~id|token']) assert.ok(list?.has(key), key);
  for (const key of ['x-id-tokens', 'x-id', 'xidtoken', 'accept']) assert.ok(!list?.has(key), key);
  for (let i = 0; i < 20_000; i++) list?.has(`x-${i}`);
  assert.ok(list?.has('x-id_token'));
});

test('fieldValue() is one line of bytes, whatever it is given', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const value = fieldValue(text);
      for (let i = 0; i < value.length; i++) {
        const code = value.charCodeAt(i);
        assert.ok(code >= 0x20 && code !== 0x7f && code <= 0xff);
      }
    }),
  );
  assert.equal(Buffer.from(fieldValue('이름'), 'latin1').toString('utf8'), '이름');
});

test('what identity and route add is there exactly once, whatever the client sends', () => {
  const action = actionTo([]);
  const spelling = fc.constantFrom(
    'X-Forwarded-User',
    'x_forwarded_user',
    'X.Forwarded.User',
    'X-Team',
    'x_team',
    'X-Custom-Id',
    'x.custom.id',
    'Connection',
  );
  const value = fc.constantFrom('evil', 'x-forwarded-user', 'X-Team, close', 'X-Custom-Id');
  fc.assert(
    fc.property(fc.array(fc.tuple(spelling, value), { maxLength: 6 }), (list) => {
      const headers: Record<string, string[]> = {};
      for (const [name, text] of list) (headers[name] ??= []).push(text);
      const plan = planFor(action, {
        identityHeaders: [
          ['X-Forwarded-User', 'alice'],
          ['X-Custom-Id', '7'],
        ],
        strip: createStripList(['X-Custom-Id', 'X-Forwarded-User']),
        requestHeaders: { add: { 'X-Team': 'blue' }, remove: [] },
      });
      const text = buildRequestFields(new FakeExchange({ headers }), plan, 'postern-x')?.lines.text ?? '';
      const ours = text.split('\r\n').filter((line) => /^x[-_.](forwarded[-_.]user|team|custom[-_.]id)/i.test(line));
      assert.deepEqual(ours, ['X-Forwarded-User: alice', 'X-Custom-Id: 7', 'X-Team: blue']);
    }),
  );
});
