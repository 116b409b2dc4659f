import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { AUTH } from '../_rig.ts';
import { withOidc } from './_rig.ts';
import type { Twin } from './_twin.ts';

const CALLBACK = `${AUTH}/.postern/callback/keycloak`;

/** As Google packs it: the word behind a byte for its field and one for its length. */
function packed(word: string): string {
  return Buffer.from(
    `\n${String.fromCharCode(word.length)}${word}\u0012&The redirect URI is not one`,
    'latin1',
  ).toString('base64');
}

async function findings(prepare: (twin: Twin) => void): Promise<readonly string[]> {
  let said: readonly string[] = [];
  await withOidc(async ({ provider, twin }) => {
    prepare(twin);
    said = (await provider.probe(CALLBACK)).map(({ ok, message }) => `${ok} ${message}`);
  });
  return said;
}

suite('the first step of a sign-in, tried without a person', () => {
  test('a provider that refuses an address which nobody registered takes ours', async () => {
    const said = await findings(() => undefined);
    assert.ok(said.includes('true takes the redirect URI and the scopes'), said.join('\n'));
  });

  test('one that shows its sign-in page whatever it is asked says nothing about ours, and is not said to', async () => {
    const said = await findings((twin) => (twin.firstStep = () => '/users/sign_in'));
    const line = said.find((one) => one.includes('redirect URI')) ?? '';
    assert.match(line, /^true shows its sign-in page whatever the redirect URI is: see to it that "https:\/\/auth/);
    assert.match(line, /callback\/keycloak" is registered with the client "client-of-/);
  });

  const google = (word: string) => (twin: Twin) =>
    (twin.firstStep = () =>
      `https://accounts.google.com/signin/oauth/error?authError=${encodeURIComponent(packed(word))}`);

  test('Google leads to an error page of its own: the address is not registered', async () => {
    const said = await findings(google('redirect_uri_mismatch'));
    const line = said.find((one) => one.startsWith('false')) ?? '';
    assert.match(
      line,
      /answered "redirect_uri_mismatch".*register the redirect URI "https:\/\/auth.*callback\/keycloak"/,
    );
  });

  test('and so it does for a client that is switched off: that is no matter of the address', async () => {
    const said = await findings(google('disabled_client'));
    const line = said.find((one) => one.startsWith('false')) ?? '';
    assert.match(line, /answered "disabled_client".*check "client_id" of "providers\.keycloak"/);
    assert.doesNotMatch(line, /redirect URI/);
  });

  test('an error page elsewhere that names its error, as a tenant of Auth0 may have one', async () => {
    const page = 'https://www.example.com/trouble?error=unauthorized&error_description=Callback+URL+mismatch';
    const said = await findings((twin) => (twin.firstStep = () => page));
    assert.match(said.find((one) => one.startsWith('false')) ?? '', /"unauthorized".*register the redirect URI/);
  });

  test('a provider that does not answer one of the two questions is said to, and no setting is blamed', async () => {
    const isOurs = (query: URLSearchParams): boolean => query.get('redirect_uri') === CALLBACK;
    for (const [status, why] of [
      [0, /cannot reach "http:.*": (?:ECONNRESET|UND_ERR)/],
      [429, /authorize" answered 429/],
      [503, /authorize" answered 503/],
    ] as const)
      for (const first of [true, false]) {
        const said = await findings((twin) => (twin.firstStep = (query) => (isOurs(query) === first ? status : null)));
        const wrong = said.filter((one) => one.startsWith('false'));
        assert.equal(wrong.length, 1, said.join('\n'));
        assert.match(wrong[0] ?? '', /^false Cannot tell whether "keycloak" takes the redirect URI "https:.*callback/);
        assert.match(wrong[0] ?? '', why);
        assert.match(wrong[0] ?? '', /nothing is known to be wrong with it, so check once more/);
        assert.doesNotMatch(said.join('\n'), /register|check "|takes the redirect URI and/);
      }
  });

  test('whatever is packed there is no crash', async () => {
    for (const bad of ['%00%ff', 'x'.repeat(9_000), '!!!!', 'AAAA'])
      assert.ok(
        (await findings((twin) => (twin.firstStep = () => `/e?authError=${bad}`))).some((one) =>
          one.startsWith('false'),
        ),
        bad,
      );
  });
});
