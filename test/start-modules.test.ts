import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { test } from 'node:test';

const SRC = resolve(import.meta.dirname, '../src');
/** What an import brings in at once: not those of types alone, not `import()`. */
const IMPORT = /^(?:import|export)\s(?!type\s)(?:[^'";]*?\sfrom\s)?'([^']+)'/gm;
const ONLY_TYPES = /\{\s*(?:type\s+[\w$]+(?:\s+as\s+[\w$]+)?\s*,?\s*)+\}\s*from\s*'[^']+'$/;

/** Everything that loads with a file: paths below src, and names of packages. */
function loadedWith(entry: string): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (file: string): void => {
    const name = relative(SRC, file);
    if (found.has(name) || !existsSync(file)) return;
    found.add(name);
    for (const [statement, specifier = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      if (ONLY_TYPES.test(statement)) continue;
      if (specifier.startsWith('.')) visit(resolve(dirname(file), specifier));
      else found.add(specifier);
    }
  };
  visit(resolve(SRC, entry));
  return found;
}

/** Each of these costs every start of every gateway 10 to 40 ms. They load with the first document or request that needs them. */
const LAZY = [
  /^jose$/,
  /^openid-client$/,
  /^@simplewebauthn\//,
  /^otpauth$/,
  /^hash-wasm$/,
  /^certs\/dns\/providers\//,
];
const LAZY_ROOMS = [/^certs\/acme\/(?:client|order|jws)\.ts$/, /^sign-in\/(?:oidc|github)\//];

test('a start loads nothing that only some documents use', () => {
  const loaded = loadedWith('cli/run.ts');
  assert.ok(loaded.has('control/gateway.ts') && loaded.has('zod'), 'imports are followed');
  const wrong = [...loaded].filter((name) => [...LAZY, ...LAZY_ROOMS].some((pattern) => pattern.test(name)));
  assert.deepEqual(wrong, []);
});

test('the first edge worker begins before the rooms of the control thread are loaded', () => {
  const loaded = loadedWith('main.ts');
  assert.ok(loaded.has('edge/worker-thread.ts') && loaded.has('commander'));
  for (const room of ['config/schema.ts', 'control/gateway.ts', 'control/control-socket.ts', 'store/data-folder.ts'])
    assert.ok(!loaded.has(room), room);
});
