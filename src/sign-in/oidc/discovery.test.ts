import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OidcProvider } from '../../config/document/providers.ts';
import { ProviderAnswer } from '../provider-answer.ts';
import { settingsFor } from './_rig.ts';
import { startTwin } from './_twin.ts';
import { createDiscovery } from './discovery.ts';
import { explainProblem } from './problems.ts';

const ISSUER = 'https://id.example.com/realms/main';

async function settings(over: Partial<OidcProvider>): Promise<OidcProvider> {
  const twin = await startTwin();
  await twin.stop();
  return settingsFor(twin, { issuer: ISSUER, ...over });
}

/** What becomes of a discovery document that names its keys so. */
async function discover(provider: OidcProvider, keys: string, issuer = provider.issuer): Promise<string> {
  const metadata = {
    issuer,
    authorization_endpoint: `${ISSUER}/authorize`,
    token_endpoint: `${ISSUER}/token`,
    jwks_uri: keys,
  };
  const headers = new Headers({ 'content-type': 'application/json' });
  const fetch = (): Promise<ProviderAnswer> =>
    Promise.resolve(new ProviderAnswer(Buffer.from(JSON.stringify(metadata)), 200, headers));
  const http = { fetch, fetchFirst: fetch, close: () => undefined };
  const on = { onFailure: () => undefined, onSuccess: () => undefined };
  const discovery = createDiscovery({ provider, http, clock: { now: () => Date.now() }, ...on });
  try {
    return (await discovery.get()).serverMetadata().jwks_uri ?? 'none';
  } catch (error) {
    const { reason, message } = explainProblem(provider, error);
    return `${reason}: ${message}`;
  } finally {
    discovery.close();
  }
}

test('keys are fetched as safely as the discovery document was, or not at all', async () => {
  const provider = await settings({});
  const plain = `http://id.example.com/keys`;
  assert.equal(await discover(provider, `${ISSUER}/keys`), `${ISSUER}/keys`);
  assert.equal(await discover(provider, 'https://keys.example.net/'), 'https://keys.example.net/');
  for (const odd of [plain, 'HTTP://id.example.com/keys', 'ftp://id.example.com/keys', 'data:application/json,{}'])
    assert.match(await discover(provider, odd), /^registration: .*have it name "jwks_uri" by https$/, odd);
  const inside = await settings({ internalUrl: 'http://keycloak:8080' });
  assert.equal(await discover(inside, 'http://keycloak:8080/keys'), 'http://keycloak:8080/keys');
  assert.match(await discover(inside, plain), /^registration: /);
  const onLoopback = await settings({ issuer: 'http://127.0.0.1:8080/realms/main' });
  assert.equal(await discover(onLoopback, 'http://127.0.0.1:8080/keys'), 'http://127.0.0.1:8080/keys');
});

test('whoever names itself otherwise is another issuer, also where openid-client knows the host and bears it', async () => {
  const own = await settings({});
  assert.match(
    await discover(own, `${ISSUER}/keys`, 'https://evil.example'),
    /^registration: .*"https:\/\/evil\.example"/,
  );
  const many = await settings({ issuer: 'https://login.microsoftonline.com/common/v2.0' });
  const answer = await discover(many, `${ISSUER}/keys`, 'https://login.microsoftonline.com/{tenantid}/v2.0');
  assert.match(answer, /^registration: Sign-in by "keycloak" failed: Provider names itself .*but the document says/);
});
