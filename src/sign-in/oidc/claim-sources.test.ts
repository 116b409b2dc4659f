/** Where groups and roles are looked for beyond the ID token: the access token, userinfo, and the API behind an overage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROVIDER_PRESETS } from '../../config/presets/providers.ts';
import { APP } from '../_rig.ts';
import { readGrant } from '../provider.ts';
import { signInBy, withOidc } from './_rig.ts';
import type { OidcProvider } from '../../config/document/providers.ts';

test('Roles that only userinfo says are asked of it, where the provider could say them there', async () => {
  const { rolesClaims: ofZitadel } = PROVIDER_PRESETS['zitadel'] ?? assert.fail();
  const { rolesClaims: ofEntra } = PROVIDER_PRESETS['entra-id'] ?? assert.fail();
  const rolesBy = async (settings: Partial<OidcProvider>, userinfo: object): Promise<readonly unknown[]> => {
    let found: readonly unknown[] = [];
    await withOidc(
      async ({ browser, twin, entries }) => {
        // Everything else is in the ID token.
        twin.claims = { ...twin.claims, groups: ['/dev'] };
        await signInBy(browser(), twin, `${APP}/`);
        found = [...(entries.at(-1)?.person.roles ?? []), twin.requests.includes('GET /userinfo')];
      },
      { settings: { readsAccessToken: false, ...settings }, prepare: (twin) => (twin.userinfo = { ...userinfo }) },
    );
    return found;
  };
  assert.deepEqual(await rolesBy({ preset: 'oidc', rolesClaims: ['access.roles'] }, { access: { roles: ['admin'] } }), [
    'admin',
    true,
  ]);
  const grants = { [ofZitadel[0] ?? '']: { editor: { 1: 'example.com' } } };
  assert.deepEqual(await rolesBy({ preset: 'zitadel', rolesClaims: ofZitadel }, grants), ['editor', true]);
  const own = { preset: 'keycloak', readsAccessToken: true, rolesClaims: ['my_roles'] };
  assert.deepEqual(await rolesBy(own, { my_roles: ['a'] }), ['a', true], 'a claim that the document names');
  assert.deepEqual(
    await rolesBy({ preset: 'entra-id', rolesClaims: ofEntra }, {}),
    [false],
    'it never says them there',
  );
});

test("Keycloak's roles come from the access token, if the issuer signed it for this person and client", () =>
  withOidc(async ({ browser, twin, entries }) => {
    const roles = { realm_access: { roles: ['admin'] }, resource_access: { grafana: { roles: ['editor'] } } };
    twin.accessClaims = { ...roles, email: 'root@example.com', groups: ['/root'] };
    await signInBy(browser(), twin, `${APP}/`);
    assert.deepEqual(entries.at(-1)?.person.roles, ['admin', 'grafana:editor']);
    assert.deepEqual(entries.at(-1)?.person.groups, [], 'nothing else of it counts');
    for (const over of [{ sub: 'sub-root' }, { azp: 'other' }, { iss: 'https://evil.example' }, { exp: 1 }]) {
      twin.accessClaims = { ...roles, ...over };
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries.at(-1)?.person.roles, [], JSON.stringify(over));
    }
  }));

test("Keycloak's roles count wherever its mappers put them: those of the realm in one place, those of clients in another", () =>
  withOidc(
    async ({ browser, twin, entries, events }) => {
      const ofRealm = { realm_access: { roles: ['admin'] } };
      const ofClients = { resource_access: { wiki: { roles: ['editor'] } } };
      const rolesBy = async (idToken: object, accessToken: object, userinfo: object): Promise<readonly string[]> => {
        twin.claims = { sub: 'sub-alice', preferred_username: 'alice', email: 'a@example.com', groups: [], ...idToken };
        twin.accessClaims = { ...accessToken };
        twin.userinfo = { ...userinfo };
        twin.requests.length = 0;
        await signInBy(browser(), twin, `${APP}/`);
        const asked = twin.requests.includes('GET /userinfo') ? ['(asked)'] : [];
        return [...(entries.at(-1)?.person.roles ?? []), ...asked];
      };
      assert.deepEqual(await rolesBy({}, { ...ofRealm, ...ofClients }, {}), ['admin', 'wiki:editor']);
      assert.deepEqual(await rolesBy(ofRealm, ofClients, {}), ['admin', 'wiki:editor']);
      assert.deepEqual(await rolesBy(ofClients, ofRealm, {}), ['wiki:editor', 'admin']);
      const other = { resource_access: { shop: { roles: ['clerk'] } } };
      assert.deepEqual(await rolesBy({ ...ofRealm, ...other }, ofClients, {}), ['admin', 'shop:clerk', 'wiki:editor']);
      assert.deepEqual(await rolesBy({}, ofRealm, ofClients), ['admin', 'wiki:editor', '(asked)']);
      assert.deepEqual(await rolesBy({}, {}, { ...ofRealm, ...ofClients }), ['admin', 'wiki:editor', '(asked)']);
      assert.deepEqual(await rolesBy({}, {}, {}), ['(asked)']);
      const last = JSON.stringify(events.findLast((event) => event.kind === 'signed-in'));
      assert.match(last, /realm_access.roles.* is missing.*client scope .*roles.*add to the access token/);
    },
    { settings: { preset: 'keycloak' }, prepare: (twin) => (twin.userinfo = {}) },
  ));

test('A claim of roles that the document names is missed in the log; who has none by a preset is not', async () => {
  const notesBy = async (settings: Partial<OidcProvider>): Promise<string> => {
    let found = '';
    await withOidc(
      async ({ browser, twin, events }) => {
        await signInBy(browser(), twin, `${APP}/`);
        found = JSON.stringify(events.findLast((event) => event.kind === 'signed-in'));
      },
      { settings: { readsAccessToken: false, ...settings } },
    );
    return found;
  };
  const named = await notesBy({ preset: 'auth0', rolesClaims: ['https://example.com/roles'] });
  assert.match(named, /example.com\/roles.* is missing.*have .*keycloak.* send it, or name the claim by .*roles_claim/);
  assert.doesNotMatch(await notesBy({ preset: 'entra-id', rolesClaims: ['roles'] }), /role/);
  assert.doesNotMatch(await notesBy({ preset: 'auth0', rolesClaims: [] }), /role/);
});

test('GitLab says of whoever is in a group above the direct ones only in userinfo, and both count', () => {
  const { userClaims, groupsClaims, rolesClaims } = PROVIDER_PRESETS['gitlab'] ?? assert.fail();
  return withOidc(
    async ({ browser, twin, entries, provider, sessions }) => {
      const about = { nickname: 'alice', email: 'alice@example.com', email_verified: true };
      // As GitLab documents it: `groups_direct` in the ID token, `groups` with those above in userinfo alone.
      twin.claims = { sub: '7', ...about, groups_direct: ['acme/platform/web'] };
      twin.userinfo = { ...about, groups: ['acme', 'acme/platform', 'acme/platform/web'] };
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries.at(-1)?.person.groups, ['acme', 'acme/platform', 'acme/platform/web']);
      const [session] = await sessions.list();
      const grant = readGrant(await sessions.findGrant(session?.key ?? ''));
      assert.ok(session !== undefined && grant !== null);
      twin.userinfo = { ...about, groups: ['acme'] };
      const again = await provider.refresh(session.person, grant);
      assert.deepEqual(again.kind === 'known' ? again.person.groups : again, ['acme']);
    },
    { settings: { preset: 'gitlab', userClaims, groupsClaims, rolesClaims, readsAccessToken: false } },
  );
});

test("Entra's overage is asked of Graph, at sign-in and at each refresh; what Graph refuses is no group", () =>
  withOidc(
    async ({ browser, twin, provider, sessions, entries, events }) => {
      twin.claims = {
        ...twin.claims,
        _claim_names: { groups: 'src1' },
        _claim_sources: { src1: { endpoint: 'https://x' } },
      };
      twin.graphPages = [['id-1', 'id-2'], ['id-3']];
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries.at(-1)?.person.groups, ['id-1', 'id-2', 'id-3']);
      const [session] = await sessions.list();
      const grant = readGrant(await sessions.findGrant(session?.key ?? ''));
      assert.ok(session !== undefined && grant !== null);
      const again = await provider.refresh(session.person, grant);
      assert.deepEqual(again.kind === 'known' ? again.person.groups : again, ['id-1', 'id-2', 'id-3']);
      twin.graphLink = 'https://evil.example/graph';
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries.at(-1)?.person.groups, ['id-1', 'id-2'], 'no link leads elsewhere');
      assert.deepEqual(entries.at(-1)?.person.cut, ['groups'], 'so there may be more');
      twin.graphPages = null;
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries.at(-1)?.person.groups, []);
      const last = events.findLast((event) => event.kind === 'signed-in');
      assert.match(JSON.stringify(last), /overage.*consent to its permission.*User\.Read/);
    },
    { graph: true },
  ));

test("A cloud of its own (China, US government) has a Graph of its own, where its people's tokens count", () =>
  withOidc(
    async ({ browser, twin, entries }) => {
      twin.claims = { ...twin.claims, _claim_names: { groups: 'src1' } };
      twin.graphPages = [['id-1']];
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries.at(-1)?.person.groups, ['id-1']);
    },
    {
      settings: { overageUrl: 'http://graph.invalid/graph' },
      prepare: (twin) => (twin.describe = (own) => ({ ...own, msgraph_host: new URL(twin.issuer).host })),
    },
  ));

test('Graph that limits us, is broken or away says nothing: whoever is in goes on, who comes is told to wait, and the log names it', () =>
  withOidc(
    async ({ browser, twin, provider, sessions, entries, events }) => {
      twin.claims = { ...twin.claims, _claim_names: { groups: 'src1' } };
      twin.graphPages = [['id-1']];
      await signInBy(browser(), twin, `${APP}/`);
      assert.deepEqual(entries.at(-1)?.person.groups, ['id-1']);
      const [session] = await sessions.list();
      let grant = readGrant(await sessions.findGrant(session?.key ?? ''));
      for (const status of [429, 503, 0]) {
        twin.graphStatus = status;
        assert.ok(session !== undefined && grant !== null);
        const again = await provider.refresh(session.person, grant);
        assert.ok(again.kind === 'unavailable', `${status} takes no group away`);
        assert.match(again.message, /"http:[^"]*" does not say the groups of a person .*overage\): /);
        grant = again.grant ?? null;
        const page = await signInBy(browser(), twin, `${APP}/`);
        assert.equal(page.status, 503);
        assert.doesNotMatch(page.text, /&quot;issuer&quot;/, 'the provider itself has answered');
        const event = events.at(-1);
        const said = status === 0 ? /ECONNRESET|UND_ERR.*let this machine reach it/ : new RegExp(`answered ${status}`);
        assert.match(event?.kind === 'provider-problem' ? event.message : '', said);
      }
      twin.graphStatus = null;
      twin.graphPages = [['id-2']];
      assert.ok(session !== undefined && grant !== null);
      const back = await provider.refresh(session.person, grant);
      assert.deepEqual(back.kind === 'known' ? back.person.groups : back, ['id-2']);
    },
    { graph: true },
  ));
