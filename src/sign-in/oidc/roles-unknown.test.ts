/** Roles that userinfo alone says, where it says nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePolicy } from '../../policy/compile.ts';
import { APP } from '../_rig.ts';
import { readGrant } from '../provider.ts';
import { signInBy, withOidc } from './_rig.ts';
import type { OidcProvider } from '../../config/document/providers.ts';
import type { Rule, RuleText } from '../../config/document/rules.ts';
import type { Person } from '../../core/person.ts';
import type { Twin } from './_twin.ts';

const BY_USERINFO = { preset: 'oidc', readsAccessToken: false, rolesClaims: ['access.roles'] } as const;

const BY_CEL = '"admin" in user.roles && user.provider == "keycloak"';

/** As the rules decide about roles that userinfo alone says. */
function byRoles(allow: readonly RuleText[], routeDeny: readonly RuleText[]): (person: Person) => string {
  const rules = (texts: readonly RuleText[]): Rule[] => texts.map((rule) => ({ rule, at: [] }));
  const kc = { ...BY_USERINFO, id: 'keycloak', type: 'oidc', emailDomains: [] } as unknown as OidcProvider;
  const { policy } = compilePolicy({
    allow: rules(allow),
    routeDeny: rules(routeDeny),
    hostDeny: [],
    providers: [kc],
  });
  return (person) =>
    policy.decide({ identity: { kind: 'person', person }, ip: null, clientCertificate: null, request: null }).kind;
}

test('Where userinfo refuses or fails and roles alone are missing, who needs none is in, and no deny by one is let by', () =>
  withOidc(
    async ({ browser, twin, entries, events }) => {
      twin.claims = { ...twin.claims, groups: ['/dev'] };
      for (const error of [{ status: 403 }, { status: 401, challenge: 'Bearer error="x"' }, { status: 503 }]) {
        twin.userinfoError = () => error;
        const page = await signInBy(browser(), twin, `${APP}/`);
        assert.equal(page.text, 'app for alice', String(error.status));
        const person = entries.at(-1)?.person;
        assert.ok(person !== undefined);
        assert.deepEqual([person.roles, person.cut, person.unsaid], [[], ['roles'], ['roles']]);
        assert.equal(byRoles(['signed-in'], [])(person), 'allow');
        assert.equal(byRoles(['role:admin'], [])(person), 'deny');
        assert.equal(byRoles([{ when: BY_CEL }], [])(person), 'deny');
        assert.equal(
          byRoles(['signed-in'], [{ when: `!(${BY_CEL})` }])(person),
          'deny',
          'also by what roles they have not',
        );
        assert.equal(byRoles(['signed-in'], ['role:banned'])(person), 'deny');
        assert.equal(byRoles(['signed-in'], ['group:/banned'])(person), 'allow', 'groups are known');
        const last = JSON.stringify(events.findLast((event) => event.kind === 'signed-in'));
        assert.match(last, /Roles of a person are not known: .*userinfo/);
      }
      twin.userinfoError = () => null;
      await signInBy(browser(), twin, `${APP}/`);
      const known = entries.at(-1)?.person;
      assert.deepEqual([known?.roles, known?.cut], [['admin'], undefined]);
    },
    { settings: BY_USERINFO, prepare: (twin) => (twin.userinfo = { access: { roles: ['admin'] } }) },
  ));

test('What Keycloak said of the roles before userinfo refuses the rest counts, and the log does not deny it', () =>
  withOidc(
    async ({ browser, twin, entries, events }) => {
      twin.claims = { ...twin.claims, groups: ['/dev'] };
      twin.accessClaims = { realm_access: { roles: ['admin'] } };
      twin.userinfoError = () => ({ status: 403 });
      await signInBy(browser(), twin, `${APP}/`);
      const person = entries.at(-1)?.person;
      assert.ok(person !== undefined);
      assert.deepEqual([person.roles, person.cut], [['admin'], ['roles']]);
      assert.equal(byRoles(['role:admin'], [])(person), 'allow');
      assert.equal(byRoles(['signed-in'], ['role:wiki:editor'])(person), 'deny');
      const last = JSON.stringify(events.findLast((event) => event.kind === 'signed-in'));
      assert.match(last, /Roles of a person are not all known: .*userinfo.*no rule by another role/);
    },
    { settings: { preset: 'keycloak' }, prepare: (twin) => (twin.userinfo = {}) },
  ));

test('Where userinfo refuses or fails and more than roles is missing, or it speaks of somebody else, nobody is in', async () => {
  const statusWith = async (prepare: (twin: Twin) => void): Promise<number> => {
    let status = 0;
    await withOidc(
      async ({ browser, twin }) => {
        prepare(twin);
        ({ status } = await signInBy(browser(), twin, `${APP}/`));
      },
      { settings: BY_USERINFO, prepare: (twin) => (twin.userinfo = {}) },
    );
    return status;
  };
  for (const [status, shown] of Object.entries({ 403: 502, 503: 503 })) {
    const refuse = (twin: Twin): void => void (twin.userinfoError = () => ({ status: Number(status) }));
    assert.equal(await statusWith(refuse), shown, 'groups are missing, too');
  }
  const speaksOfBob = (twin: Twin): void => {
    twin.claims = { ...twin.claims, groups: ['/dev'] };
    twin.userinfo = { sub: 'sub-bob', access: { roles: ['admin'] } };
  };
  assert.equal(await statusWith(speaksOfBob), 400);
});

test('At a refresh roles are gone where userinfo refuses, and stay where it fails; groups follow where they are known', () =>
  withOidc(
    async ({ browser, twin, sessions, provider, logged }) => {
      twin.claims = { ...twin.claims, groups: ['/dev'] };
      await signInBy(browser(), twin, `${APP}/`);
      const [session] = await sessions.list();
      const grant = readGrant(await sessions.findGrant(session?.key ?? ''));
      assert.ok(session !== undefined && grant !== null);
      twin.claims = { ...twin.claims, groups: ['/ops'] };
      twin.userinfoError = () => ({ status: 503 });
      const failed = await provider.refresh(session.person, grant);
      assert.equal(failed.kind, 'unavailable', 'they go on as before');
      const next = 'grant' in failed ? failed.grant : undefined;
      assert.ok(next !== undefined);
      twin.userinfoError = () => ({ status: 403 });
      const refused = await provider.refresh(session.person, next);
      assert.ok(refused.kind === 'known');
      assert.deepEqual([refused.person.groups, refused.person.roles, refused.person.cut], [['/ops'], [], ['roles']]);
      await provider.refresh(refused.person, refused.grant);
      assert.equal(logged.filter((line) => line.includes('Roles of a person are not known')).length, 1, 'told once');
    },
    { settings: BY_USERINFO, prepare: (twin) => (twin.userinfo = { access: { roles: ['admin'] } }) },
  ));
