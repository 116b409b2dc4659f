import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createFixture } from '../_openssl-fixture.ts';
import { arrangeChain, lackIn, type ArrangedChain, type ChainSources } from './arrange-chain.ts';

const fixture = createFixture();
after(() => fixture.remove());
fixture.make('root', { names: [], isCa: true });
fixture.make('middle', { names: [], isCa: true, issuer: 'root' });
fixture.make('leaf', { names: ['a.example.com'], issuer: 'middle' });
fixture.make('direct', { names: ['b.example.com'], issuer: 'root' });
fixture.make('stranger', { names: [], isCa: true });
const [root, middle, leaf, direct, stranger] = ['root', 'middle', 'leaf', 'direct', 'stranger'].map((name) =>
  fixture.read(`${name}.pem`),
) as [string, string, string, string, string];

function arrange(
  pem: string,
  more: Partial<ChainSources> & { readonly key?: string } = {},
): Promise<ArrangedChain | null> {
  const key = createPrivateKey(fixture.read(`${more.key ?? 'leaf'}.key`));
  return arrangeChain(pem, key, { earlier: async () => [], roots: null, now: Date.now(), ...more });
}

const serialsOf = (pem = ''): string[] =>
  pem.split(/(?=-----BEGIN)/).map((one) => new X509Certificate(one).serialNumber);

test('arrangeChain() leaves a chain as it came that leads from our certificate to an issuer', async () => {
  for (const pem of [leaf + middle, `${leaf}\r\n\r\n${middle}${root}`, leaf + middle + stranger])
    assert.deepEqual(await arrange(pem), { pem, lacks: null });
  assert.equal(await arrange(middle + root), null, 'nothing in it is ours');
});

test('arrangeChain() puts our certificate first, wherever it stands', async () => {
  const arranged = await arrange(root + middle + leaf);
  assert.deepEqual(serialsOf(arranged?.pem), serialsOf(leaf + middle + root));
  assert.equal(arranged?.lacks, null);
});

test('arrangeChain() says whose certificate is lacking, and takes it from an earlier chain', async () => {
  for (const pem of [leaf, leaf + stranger]) {
    assert.deepEqual(await arrange(pem), { pem, lacks: 'middle' });
    const completed = await arrange(pem, { earlier: async () => ['no chain', direct + stranger, leaf + middle] });
    assert.deepEqual(serialsOf(completed?.pem), serialsOf(leaf + middle));
    assert.equal(completed?.lacks, null);
  }
  const late = { earlier: async () => [leaf + middle], now: Date.now() + 10 * 365 * 86_400_000 };
  assert.equal((await arrange(leaf, late))?.lacks, 'middle', 'that one has ended');
});

test('arrangeChain() looks once at the issuers that thousands of earlier chains have in common', async (t) => {
  const looks = t.mock.method(X509Certificate.prototype, 'checkIssued').mock;
  const many = (pem: string): string[] => Array.from({ length: 5_000 }, () => pem);
  const earlier = async (): Promise<string[]> => [...many(direct), ...many(direct + stranger), leaf + middle];
  assert.equal((await arrange(leaf, { earlier }))?.lacks, null);
  // The roots that Node brings are some hundreds.
  assert.ok(looks.callCount() < 4_000, `${looks.callCount()} looks`);
});

test('arrangeChain() lacks nothing where a root that the document gives is the issuer', async () => {
  assert.equal((await arrange(direct, { key: 'direct' }))?.lacks, 'root');
  assert.equal((await arrange(direct, { key: 'direct', roots: stranger + root }))?.lacks, null);
  assert.equal((await arrange(leaf, { roots: root }))?.lacks, 'middle');
  assert.equal((await arrange(leaf, { roots: middle }))?.lacks, 'middle', 'no root');
});

test('lackIn() says of a chain in use whose certificate it lacks', () => {
  assert.equal(lackIn(leaf, null), 'middle');
  assert.equal(lackIn(leaf, root), 'middle');
  for (const pem of [leaf + middle, root]) assert.equal(lackIn(pem, null), null);
  assert.equal(lackIn(direct, null), 'root');
  assert.equal(lackIn(direct, stranger + root), null);
});

test('a chain lacks nothing whose root the store of this machine has', () => {
  const script = `
    const { lackIn } = await import(${JSON.stringify(import.meta.resolve('./arrange-chain.ts'))});
    process.stdout.write(String(lackIn(process.env.LEAF, null)));`;
  const look = (more: Record<string, string>): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, LEAF: direct, ...more },
    }).toString();
  assert.equal(look({}), 'root');
  const folder = mkdtempSync(join(tmpdir(), 'postern-roots-'));
  try {
    writeFileSync(join(folder, 'roots.pem'), root);
    assert.equal(look({ SSL_CERT_FILE: join(folder, 'roots.pem') }), 'null');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
