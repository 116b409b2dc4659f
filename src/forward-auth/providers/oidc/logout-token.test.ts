import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Twin } from '../../../sign-in/oidc/_twin.ts';
import type { AuthProvider } from '../../ports.ts';
import { enter, withProvider } from '../_rig.ts';

const read = async (provider: AuthProvider, token: string): Promise<string> => {
  const answer = await provider.readLogoutToken?.(token);
  if (answer?.kind !== 'ok') return `${answer?.kind} ${answer?.message}`;
  const { subject, providerSession, id } = answer.value;
  return `${subject} ${providerSession} ${id}`;
};

test('readLogoutToken() takes a logout token of the provider for this client', () =>
  withProvider(async ({ twin, provider }) => {
    assert.equal(await read(provider, twin.signLogout({ sub: 'a', jti: '1' })), 'a null 1');
    assert.equal(await read(provider, twin.signLogout({ sid: 's', jti: '2', exp: undefined })), 'null s 2');
    assert.equal(await read(provider, twin.signLogout({ sub: 'a', sid: 's', jti: '3' }, { typ: 'JWT' })), 'a s 3');
  }));

test('readLogoutToken() and authTimeOf() say when by the clock of the provider, in the same unit', () =>
  withProvider(async ({ twin, provider }) => {
    const at = Math.floor(Date.now() / 1_000) - 7;
    const answer = await provider.readLogoutToken?.(twin.signLogout({ sub: 'a', iat: at }));
    assert.equal(answer?.kind === 'ok' && answer.value.issuedAt, at * 1_000);
    for (const [said, read] of [
      [at, at * 1_000],
      [undefined, null],
      ['yesterday', null],
    ]) {
      twin.claims = { ...twin.claims, auth_time: said };
      assert.equal(provider.authTimeOf?.(await enter(provider, twin)), read);
    }
  }));

test('readLogoutToken() refuses what is none, of others, for others, too old, or an ID token', () =>
  withProvider(async ({ twin, provider }) => {
    const now = Math.floor(Date.now() / 1_000);
    const bad: Readonly<Record<string, (twin: Twin) => string>> = {
      'another issuer': () => twin.signLogout({ sub: 'a', iss: 'https://evil.example' }),
      'another client': () => twin.signLogout({ sub: 'a', aud: 'other' }),
      'no audience': () => twin.signLogout({ sub: 'a', aud: undefined }),
      'no subject': () => twin.signLogout({}),
      'an empty subject': () => twin.signLogout({ sub: '' }),
      'a nonce': () => twin.signLogout({ sub: 'a', nonce: 'n' }),
      'no event': () => twin.signLogout({ sub: 'a', events: undefined }),
      'another event': () => twin.signLogout({ sub: 'a', events: { 'https://x.example/': {} } }),
      'an event that is no object': () =>
        twin.signLogout({ sub: 'a', events: { 'http://schemas.openid.net/event/backchannel-logout': true } }),
      'no id': () => twin.signLogout({ sub: 'a', jti: undefined }),
      'no time': () => twin.signLogout({ sub: 'a', iat: undefined }),
      'too old': () => twin.signLogout({ sub: 'a', iat: now - 600, exp: undefined }),
      future: () => twin.signLogout({ sub: 'a', iat: now + 600, exp: now + 900 }),
      expired: () => twin.signLogout({ sub: 'a', exp: now - 120 }),
      unsigned: () =>
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{}').toString('base64url')}.`,
      nonsense: () => 'x',
    };
    for (const [name, make] of Object.entries(bad)) assert.match(await read(provider, make(twin)), /^refused /, name);
  }));
