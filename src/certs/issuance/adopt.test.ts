import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { createFixture } from '../_openssl-fixture.ts';
import { adoptable } from '../import/adoptable.ts';
import { adoptAccount, type AdoptableAccount } from './adopt.ts';
import type { FakeCa } from './_fake-ca.ts';
import { createMemoryIssuanceStore } from './_memory-store.ts';
import type { AcmePolicy } from './wanted.ts';
import { DAY, rigOf, wantedOf } from './_issuance-rig.ts';

test('adopt() serves each host from one certificate of another client, and orders at its renewal only', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const fixture = createFixture();
  t.after(() => fixture.remove());
  fixture.make('both', { names: ['a.example.com', 'b.example.com'], kind: 'rsa', days: 90, from: 0 });
  const { directory } = ca;
  const pair = { chain: fixture.read('both.pem'), keyPem: fixture.read('both.key') };
  const seal = { seal: (_: string, text: string) => text, unseal: (_: string, sealed: string) => sealed };
  const terms = { seal, now: rig.now, caName: () => 'CA 1', isForTrials: () => false };
  const stored = adoptable({ place: '', directory, ...pair }, terms);
  const issuance = await rig.start();
  assert.equal(await issuance.adopt(stored, true), 'adopted');
  assert.equal(issuance.issued.length, 0, 'a dry run keeps nothing');
  assert.equal(await issuance.adopt(stored, false), 'adopted');
  assert.equal(await issuance.adopt(stored, false), 'known');
  const again = await rig.start();
  again.want(null, rig.want('a.example.com', 'b.example.com'));
  await again.review();
  assert.equal(ca.orders(), 0);
  assert.equal(again.entriesFor('b.example.com', rig.policy)[0]?.id, stored.id);
  assert.ok(again.status().every((one) => one.issued?.stored.id === stored.id));
  rig.now += 70 * DAY;
  await again.review();
  assert.deepEqual(ca.issued.toSorted(), ['a.example.com', 'b.example.com']);
  assert.deepEqual(ca.replaces, [undefined, undefined], 'only one order may replace a certificate');
  assert.ok(again.entriesFor('b.example.com', rig.policy).some((entry) => entry.id !== stored.id));
});

test('adopt() gives an imported RSA certificate its place beside the ECDSA one that is still to come', async (t) => {
  const rig = rigOf(t);
  const [ca] = rig.cas as [FakeCa, FakeCa];
  const both: AcmePolicy = { ...rig.policy, keyTypes: ['p256', 'rsa2048'] };
  const fixture = createFixture();
  t.after(() => fixture.remove());
  fixture.make('old', { names: ['a.example.com'], kind: 'rsa', days: 90, from: 0 });
  const pair = { chain: fixture.read('old.pem'), keyPem: fixture.read('old.key') };
  const seal = { seal: (_: string, text: string) => text, unseal: (_: string, sealed: string) => sealed };
  const terms = { seal, now: rig.now, caName: () => 'CA 1', isForTrials: () => false };
  const stored = adoptable({ place: '', directory: ca.directory, ...pair }, terms);
  const issuance = await rig.start();
  await issuance.adopt(stored, false);
  issuance.want(null, wantedOf(['a.example.com'], both));
  await issuance.review();
  assert.deepEqual(ca.issued, ['a.example.com'], 'the ECDSA one only');
  const entries = issuance.entriesFor('a.example.com', both);
  assert.deepEqual(entries.map((entry) => entry.keyType).toSorted(), ['ec', 'rsa']);
  assert.ok(entries.some((entry) => entry.id === stored.id));
});

test('adopt() keeps what is good for longer', async (t) => {
  const rig = rigOf(t);
  const fixture = createFixture();
  t.after(() => fixture.remove());
  fixture.make('short', { names: ['a.example.com'], days: 10 });
  const issuance = await rig.start();
  issuance.want(null, rig.want('a.example.com'));
  await issuance.review();
  const pair = { chain: fixture.read('short.pem'), keyPem: fixture.read('short.key') };
  const seal = { seal: (_: string, text: string) => text, unseal: (_: string, sealed: string) => sealed };
  const terms = { seal, now: rig.now, caName: () => 'CA 1', isForTrials: () => false };
  assert.equal(
    await issuance.adopt(adoptable({ place: '', directory: 'https://one.ca/dir', ...pair }, terms), false),
    'better',
  );
});

test('adoptAccount() keeps an account that is there, and takes keys of the kinds that sign', async () => {
  const storage = {
    store: createMemoryIssuanceStore(),
    seal: { seal: (_: string, text: string) => text, unseal: (_: string, sealed: string) => sealed },
  };
  const pem = ({ privateKey }: { privateKey: KeyObject }): string =>
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const ec = (): string => pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }));
  const account = (keyPem: string): AdoptableAccount => ({ directory: 'https://ca/dir', url: 'https://ca/1', keyPem });
  const rsa = pem(generateKeyPairSync('rsa', { modulusLength: 2048 }));
  assert.equal(await adoptAccount(account(pem(generateKeyPairSync('ed25519'))), storage, false), 'unsupported');
  assert.equal(await adoptAccount(account(ec()), storage, true), 'adopted');
  assert.equal(await adoptAccount(account(rsa), storage, false), 'adopted');
  assert.equal(await adoptAccount(account(rsa), storage, false), 'known');
  assert.equal(await adoptAccount(account(ec()), storage, false), 'other');
});
