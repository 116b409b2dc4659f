/**
 * The real oauth2-proxy and Postern with the same settings and the same provider: where a person is sent, who
 * comes in, and as whom. That the real one signs in by a twin also says that the twin is true to the protocol.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { GithubTwin } from '../../../src/sign-in/github/_twin.ts';
import { startTwin } from '../../../src/sign-in/oidc/_twin.ts';
import { skipWithout } from '../../support/peers.ts';
import { GITHUB_CASES, OIDC_CASES } from './kinds.ts';
import { signInBy, type Seen } from './side.ts';

suite('Providers are alike', { skip: skipWithout('oauth2-proxy') }, () => {
  for (const one of OIDC_CASES)
    test(one.name, async () => {
      const twin = await startTwin({ issParameter: false });
      try {
        twin.scopes =
          'api read email profile openid repository public_profile r_emailaddress r_liteprofile offline_access'
            .split(' ')
            .concat('', 'meta.sr.ht/PROFILE:RO');
        if (one.isPlain === true) twin.clientAuth = 'post';
        one.prepare?.(twin);
        const places: Record<string, string> =
          one.isPlain === true
            ? {
                OAUTH2_PROXY_LOGIN_URL: `${twin.issuer}/authorize`,
                OAUTH2_PROXY_REDEEM_URL: `${twin.issuer}/token`,
                OAUTH2_PROXY_PROFILE_URL: `${twin.issuer}/me`,
                OAUTH2_PROXY_VALIDATE_URL: `${twin.issuer}/validate`,
              }
            : { OAUTH2_PROXY_OIDC_ISSUER_URL: twin.issuer };
        const env = {
          OAUTH2_PROXY_PROVIDER: one.provider,
          OAUTH2_PROXY_CLIENT_ID: twin.clientId,
          OAUTH2_PROXY_CLIENT_SECRET: twin.clientSecret,
          ...places,
          ...one.env?.(twin),
        };
        const theirs = await signInBy('oauth2-proxy', env, twin.visit);
        compare(theirs, await signInBy('postern', env, twin.visit), one.differs ?? {});
      } finally {
        await twin.stop();
      }
    });

  for (const one of GITHUB_CASES)
    test(one.name, async () => {
      const twin = new GithubTwin();
      await twin.start();
      try {
        twin.isGitea = one.isGitea ?? false;
        twin.account = {
          id: 1,
          login: 'Alice',
          emails: [{ email: 'a@example.com', primary: true, verified: true }],
          organisations: ['Acme', 'lab'],
          teams: ['Acme/platform', 'lab/core'],
          ...one.account,
        };
        twin.repositories = {
          'acme/open': { private: false, members: { Alice: 'pull' } },
          'acme/secret': { private: true, members: { Alice: 'pull' } },
        };
        const env = {
          OAUTH2_PROXY_PROVIDER: 'github',
          OAUTH2_PROXY_CLIENT_ID: twin.clientId,
          OAUTH2_PROXY_CLIENT_SECRET: twin.clientSecret,
          OAUTH2_PROXY_LOGIN_URL: `${twin.url}/login/oauth/authorize`,
          OAUTH2_PROXY_REDEEM_URL: `${twin.url}/login/oauth/access_token`,
          OAUTH2_PROXY_VALIDATE_URL: twin.url + (twin.isGitea ? '/api/v1/user/emails' : '/api/v3'),
          ...one.env,
        };
        const visit = (url: string): string => twin.visit(url);
        const theirs = await signInBy('oauth2-proxy', env, visit);
        compare(theirs, await signInBy('postern', env, visit), one.differs ?? {});
      } finally {
        await twin.stop();
      }
    });
});

function compare(theirs: Seen, ours: Seen, differs: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(differs))
    assert.notDeepEqual(pick(ours, name), pick(theirs, name), `"${name}" is said to differ, and does not any more`);
  assert.deepEqual(without(ours, differs), without(theirs, differs));
}

function pick(seen: Seen, name: string): unknown {
  const [first = '', second] = name.split('.');
  const value = (seen as unknown as Record<string, unknown>)[first];
  return second === undefined ? value : (value as Record<string, unknown>)[second];
}

function without(seen: Seen, differs: Readonly<Record<string, string>>): unknown {
  const copy = structuredClone(seen) as unknown as Record<string, Record<string, unknown>>;
  for (const name of Object.keys(differs)) {
    const [first = '', second] = name.split('.');
    if (second === undefined) delete copy[first];
    else delete copy[first]?.[second];
  }
  return copy;
}
