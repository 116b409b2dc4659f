import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP } from './_rig.ts';
import { signInBy, withOidc } from './oidc/_rig.ts';

test('/.postern/userinfo tells a subject in the place of a name as what it is, and no name as that', () =>
  withOidc(
    async ({ browser, twin }) => {
      const toldAs = async (claims: object): Promise<unknown> => {
        twin.claims = { sub: 'ada', groups: [], ...claims };
        const visitor = browser();
        await signInBy(visitor, twin, `${APP}/`);
        const { provider, sub, name } = JSON.parse((await visitor.open(`${APP}/.postern/userinfo`)).text) as Record<
          string,
          unknown
        >;
        return { provider, sub, name };
      };
      assert.deepEqual(await toldAs({}), { provider: 'keycloak', sub: 'ada', name: 'keycloak:ada' });
      assert.deepEqual(await toldAs({ preferred_username: 'ada' }), { provider: 'keycloak', sub: 'ada', name: 'ada' });
      const named = await toldAs({ sub: 'eve', preferred_username: 'keycloak:ada' });
      assert.deepEqual(named, { provider: 'keycloak', sub: 'eve', name: 'keycloak:keycloak:ada' });
    },
    { prepare: (twin) => (twin.userinfo = {}) },
  ));
