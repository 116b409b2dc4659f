import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GithubProvider } from '../config/document/providers.ts';
import type { Provider } from './provider.ts';
import { createProviderRegistry } from './provider-registry.ts';

const github = (over: Partial<GithubProvider>): GithubProvider => ({
  id: 'github',
  type: 'github',
  label: 'GitHub',
  url: 'http://127.0.0.1:1',
  clientId: 'x',
  clientSecret: 'y',
  scopes: [],
  recheckMs: 60_000,
  caPem: null,
  emailDomains: [],
  at: [],
  ...over,
});

function createRig(): { registry: ReturnType<typeof createProviderRegistry>; closed: Provider[] } {
  const none = (): readonly string[] => [];
  const registry = createProviderRegistry({
    clock: { now: () => 0 },
    log: () => undefined,
    namedOrganisations: none,
    namedGroups: none,
  });
  return { registry, closed: [] };
}

function noteClosing(provider: Provider | null, closed: Provider[]): Provider {
  assert.ok(provider !== null);
  const { close } = provider;
  Object.assign(provider, { close: () => (closed.push(provider), close()) });
  return provider;
}

test('adopt() swaps at once, and closes those of before only when it is settled', async () => {
  const { registry, closed } = createRig();
  registry.adopt(await registry.prepare([github({}), github({ id: 'other' })])).settle();
  const [kept, old] = ['github', 'other'].map((id) => noteClosing(registry.find(id), closed));
  const swapped = registry.adopt(await registry.prepare([github({}), github({ id: 'other', clientId: 'z' })]));
  assert.equal(registry.find('github'), kept, 'what did not change stays, with all it has learned');
  assert.notEqual(registry.find('other'), old);
  assert.deepEqual(closed, []);
  swapped.settle();
  assert.deepEqual(closed, [old]);
  registry.close();
});

test('adopt() can be taken back: a reload that no worker could follow changes nothing', async () => {
  const { registry, closed } = createRig();
  registry.adopt(await registry.prepare([github({})])).settle();
  const old = noteClosing(registry.find('github'), closed);
  const swapped = registry.adopt(await registry.prepare([github({ clientId: 'z' })]));
  const fresh = noteClosing(registry.find('github'), closed);
  swapped.undo();
  assert.equal(registry.find('github'), old);
  assert.deepEqual(closed, [fresh]);
  registry.close();
});
