import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_SESSION } from '../auth-session.ts';
import { settingsWith } from '../settings-fixture.ts';
import { createAuthProvider } from './create.ts';

const settings = settingsWith({ provider: { kind: 'none' } });
const deps = {
  clock: { now: () => 0, monotonic: () => 0 },
  log: { info: () => undefined, warn: () => undefined },
  allowedGroups: ['ops'],
  bearer: settings.bearer,
};

test('createNoProvider() lets people of the password file in by their groups, and nobody else', async () => {
  const provider = createAuthProvider(settings.provider, deps);
  const person = { ...NO_SESSION, user: 'alice', groups: ['ops'] };
  assert.equal(provider.authorizes({ ...person, via: 'htpasswd' }), true);
  assert.equal(provider.authorizes({ ...person, via: 'htpasswd', groups: [] }), false);
  assert.equal(provider.authorizes({ ...person, via: 'provider' }), false);
  assert.equal(provider.authorizes({ ...person, via: 'bearer' }), false);
  assert.equal((await provider.loginUrl({} as never)).kind, 'refused');
  assert.equal((await provider.redeem({} as never)).kind, 'refused');
  assert.equal(await provider.verifyBearer('ey'), null);
});
