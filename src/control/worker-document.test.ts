import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadDocument } from '../config/load.ts';
import { withoutSecrets } from './worker-document.ts';

test('withoutSecrets() leaves workers nothing that Postern proves itself with elsewhere', () => {
  const key = JSON.stringify({
    client_email: 'bot@x.iam.example',
    private_key: 'SECRET-directory',
    token_uri: 'https://x.example/',
  });
  const env = new Map([
    ['KEY', key],
    ['HMAC', 'U0VDUkVULWhtYWMtZm9yLWEtdGVzdA'],
  ]);
  const { document, diagnostics } = loadDocument({
    file: '/etc/postern.yaml',
    env,
    readFile: () => '',
    text: `version: 1
providers:
  google: { type: google, client_id: a, client_secret: SECRET-google, directory: { admin: root@example.com, service_account: "\${KEY}" } }
  github: { type: github, client_id: b, client_secret: SECRET-github }
sign_in: { url: "https://auth.example.com" }
acme: { ca: zerossl, eab: { key_id: k, hmac_key: "\${HMAC}" } }
dns: { cf: { type: cloudflare, token: SECRET-token } }
hosts: { a.example.com: { respond: 200, allow: ["google:signed-in"] } }
`,
  });
  assert.deepEqual(
    diagnostics.filter((one) => one.severity === 'error').map((one) => one.message),
    [],
  );
  assert.ok(document);
  assert.match(JSON.stringify(document), /SECRET-directory/);
  const given = JSON.stringify(withoutSecrets(document));
  assert.doesNotMatch(given, /SECRET|U0VDUkVU/);
  assert.match(given, /a\.example\.com/);
});
