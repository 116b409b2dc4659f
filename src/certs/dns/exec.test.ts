import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { providerWith, rejection, setContract } from '../../../test/support/dns-provider-contract.ts';
import type { DnsProvider } from './dns-provider.ts';
import { systemTools } from './tools.ts';

const signal = new AbortController().signal;
const NAME = '_acme-challenge.app.example.com';

/** A hook that keeps values in a file, as people write them. */
const HOOK = `#!/bin/sh
set -eu
file="$STORE/$2"
touch "$file"
grep -vxF -- "$3" "$file" > "$file.new" || true
[ "$1" = remove ] || echo "$3" >> "$file.new"
mv "$file.new" "$file"
`;

interface Rig {
  readonly folder: string;
  readonly provider: DnsProvider;
}

function open(t: TestContext, script: string, timeout = 5000): Rig {
  const folder = mkdtempSync(join(tmpdir(), 'postern-exec-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'hook');
  writeFileSync(file, script);
  chmodSync(file, 0o755);
  const values = { command: [file], environment: { STORE: folder, SECRET: 's3cret-hook-key' }, timeout };
  return { folder, provider: providerWith('exec', values, { tools: systemTools }) };
}

suite('exec keeps the contract of DNS providers with a real command', () => {
  setContract({ isWhole: true }, async (t) => {
    const { folder, provider } = open(t, HOOK);
    const valuesOf = (fqdn: string): string[] => readFileSync(join(folder, fqdn), 'utf8').split('\n').filter(Boolean);
    return { provider, name: NAME, valuesOf };
  });
});

test('exec hands over arguments without a shell, and no variable but those of the document', async (t) => {
  const { folder, provider } = open(t, '#!/bin/sh\nprintf "%s\\n" "$@" > "$STORE/args"\nenv > "$STORE/env"\n');
  process.env['POSTERN_TEST_SECRET'] = 'leak';
  t.after(() => delete process.env['POSTERN_TEST_SECRET']);
  await provider.setTxt(NAME, '$(touch x) `id` ; "quoted"', signal);
  assert.equal(readFileSync(join(folder, 'args'), 'utf8'), `set\n${NAME}\n$(touch x) \`id\` ; "quoted"\n`);
  const env = readFileSync(join(folder, 'env'), 'utf8');
  assert.match(env, /^SECRET=s3cret-hook-key$/m);
  assert.doesNotMatch(env, /leak/);
});

test('exec puts the exit code and the end of the output into the error, without the secrets', async (t) => {
  const { provider } = open(t, '#!/bin/sh\necho "no such zone, key $SECRET" >&2\nexit 3\n');
  const error = await rejection(provider.setTxt(NAME, 'v', signal));
  assert.equal(error.code, 'DNS_PROVIDER_REFUSED');
  assert.match(
    error.message,
    /^Cannot set the record at the command: ".*hook" ended with 3: "no such zone, key \*\*\*"/,
  );
});

test('exec ends a command that takes too long, with all that it started', async (t) => {
  const { folder, provider } = open(
    t,
    '#!/bin/sh\necho waiting\n(sleep 60; touch "$STORE/late") &\necho $! > "$STORE/pid"\nsleep 60\n',
    3_000,
  );
  const error = await rejection(provider.setTxt(NAME, 'v', signal));
  assert.equal(error.code, 'DNS_PROVIDER_UNAVAILABLE');
  assert.match(error.message, /was ended after 3 s: "waiting"/);
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  assert.ok(await isGone(pid), 'the child of the command still runs');
});

/** A killed process stays until its parent, or init, has looked at it. */
async function isGone(pid: number): Promise<boolean> {
  for (let i = 0; i < 2_000; i++) {
    try {
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true;
    } catch {
      return true;
    }
    await new Promise((resolve) => void setTimeout(resolve, 10));
  }
  return false;
}

test('exec says that there is no such command', async () => {
  const values = { command: ['/nowhere/hook'], environment: undefined, timeout: 1000 };
  const error = await rejection(providerWith('exec', values, { tools: systemTools }).setTxt(NAME, 'v', signal));
  assert.match(error.message, /"\/nowhere\/hook" cannot be run: ".*ENOENT"; check its path and permissions/);
});

test('exec ends the command when the order is withdrawn', async (t) => {
  const { provider } = open(t, '#!/bin/sh\nsleep 60\n');
  const controller = new AbortController();
  const reason = new Error('withdrawn');
  const running = provider.setTxt(NAME, 'v', controller.signal);
  setTimeout(() => controller.abort(reason), 50);
  await assert.rejects(running, (error) => error === reason);
});
