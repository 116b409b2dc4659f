import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHeldJwts } from './held-jwts.ts';
import type { BearerAnswer } from './ports.ts';

test('createHeldJwts() lets go of what is refused, so that made-up tokens push out none that is good', async () => {
  const asked: string[] = [];
  const verify = async (provider: string, token: string): Promise<BearerAnswer> => {
    asked.push(`${provider} ${token}`);
    if (token !== 'good') return { kind: token === 'later' ? 'unavailable' : 'absent' };
    const identity = { kind: 'token', name: 'x' } as const;
    return { kind: 'found', session: { key: 'bearer:good', identity, expiresAt: 9, lastSeenAt: 0 } };
  };
  const jwts = createHeldJwts(verify, () => Promise.resolve({ kind: 'absent' }));
  const hold = (token: string): string => {
    const key = `bearer:${token}`;
    jwts.hold({ key, provider: 'kc', token });
    return key;
  };
  const good = hold('good');
  for (let n = 0; n < 10_050; n++) assert.equal((await jwts.find(hold(`made-up-${n}`))).kind, 'absent');
  assert.equal((await jwts.find(good)).kind, 'found');
  assert.equal((await jwts.find('bearer:made-up-1')).kind, 'unavailable', 'nothing is known of it');
  assert.equal((await jwts.find(hold('later'))).kind, 'unavailable');
  assert.deepEqual(jwts.clear(), ['bearer:good', 'bearer:later']);
  assert.ok(asked.includes('kc good'));
});

test('createHeldJwts() lets tokens that nobody has looked at push out none that is good', async () => {
  const identity = { kind: 'token', name: 'x' } as const;
  const verify = (_: string, token: string): Promise<BearerAnswer> =>
    Promise.resolve(
      token === 'good'
        ? { kind: 'found', session: { key: 'bearer:good', identity, expiresAt: 9, lastSeenAt: 0 } }
        : { kind: 'unavailable' },
    );
  const jwts = createHeldJwts(verify, () => Promise.resolve({ kind: 'absent' }));
  const hold = (token: string): void => jwts.hold({ key: `bearer:${token}`, provider: 'kc', token });
  hold('good');
  assert.equal((await jwts.find('bearer:good')).kind, 'found');
  for (let n = 0; n < 10_050; n++) {
    hold(`made-up-${n}`);
    if (n % 2 === 0) assert.equal((await jwts.find(`bearer:made-up-${n}`)).kind, 'unavailable');
  }
  assert.equal((await jwts.find('bearer:good')).kind, 'found');
  assert.equal(jwts.clear().length, 1_001, 'and are bounded');
  assert.equal((await jwts.find('bearer:good')).kind, 'unavailable');
});
