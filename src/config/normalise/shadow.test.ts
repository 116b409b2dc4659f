import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadDocument } from '../load.ts';

test("shadow: of a path stands in for its host's `allow`, and its host's `deny` is tried besides, as in force", () => {
  const text = `version: 1
providers: { local: { type: local } }
sign_in: { url: "https://auth.example.com" }
hosts:
  a.example.com:
    tls: local
    allow: ["group:all"]
    shadow: { allow: ["group:staff"], deny: ["user:bob"] }
    paths:
      /allow: { to: "http://app", allow: [signed-in], shadow: { allow: ["group:ops"] } }
      /deny: { to: "http://app", allow: [signed-in], shadow: { deny: ["user:eve"] } }
      /inherited: { to: "http://app", shadow: { deny: ["user:eve"] } }
      /*: { to: "http://app", allow: [signed-in] }
`;
  const { document, diagnostics } = loadDocument({ text, file: 'postern.yaml', env: {}, readFile: () => '' });
  assert.deepEqual(diagnostics, []);
  const tried = document?.hosts[0]?.routes.map(({ path, shadow }) => [
    path,
    shadow?.allow?.map(({ rule }) => rule) ?? null,
    shadow?.deny.map(({ rule }) => rule),
  ]);
  assert.deepEqual(tried, [
    ['/allow', ['group:ops'], ['user:bob']],
    ['/deny', null, ['user:bob', 'user:eve']],
    // Without an "allow" of its own it has its host's.
    ['/inherited', ['group:staff'], ['user:bob', 'user:eve']],
    ['/*', ['group:staff'], ['user:bob']],
  ]);
});
