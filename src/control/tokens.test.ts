import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTokenOperations } from './tokens.ts';
import { compileTable } from '../route/compile.ts';
import { documentOf, hostOf, routeOf } from '../route/document-fixture.ts';
import { createServiceTokens } from '../session/service-tokens.ts';
import type { RuleText } from '../config/document/rules.ts';

const tokens = createServiceTokens({
  store: {
    insertToken: async () => {},
    findToken: async () => null,
    listTokens: async () => [],
    deleteTokens: async () => [],
    touchTokens: async () => {},
  },
  clock: { now: () => 1_000_000 },
  instance: 'k3v9abcd',
  audit: { appendAudit: async () => {} },
});

/** What is said of a token for "ci" where these are the rules of one route beside those of another. */
async function remarkBy(...rules: readonly RuleText[]): Promise<string | null> {
  const routes = [routeOf('/open/*', ['public']), routeOf('/*', rules)];
  const { table } = compileTable(documentOf([hostOf('app.example.com', routes)]));
  const operations = createTokenOperations(tokens, () => ({ table }));
  return (await operations['token.create']({ name: 'ci', lifetimeMs: null })).remark;
}

test('token.create says that no rule names the token yet, and where it belongs', async () => {
  for (const rules of [['signed-in'], ['token:other', 'service:ci'], [{ all: ['token:other', 'ip:10.0.0.0/8'] }]])
    assert.match((await remarkBy(...rules)) ?? '', /^No rule names "token:ci" yet: .*"allow"/, JSON.stringify(rules));
});

test('token.create says nothing where a rule names the token, could by its condition, or none can be asked', async () => {
  for (const rules of [['token:ci'], [{ all: ['token:ci', 'ip:10.0.0.0/8'] }], [{ when: 'token.startsWith("c")' }]])
    assert.equal(await remarkBy(...rules), null, JSON.stringify(rules));
  const alone = createTokenOperations(tokens, () => null);
  assert.equal((await alone['token.create']({ name: 'ci', lifetimeMs: null })).remark, null);
});
