import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { createFixture, type Fixture } from '../_openssl-fixture.ts';
import { createCertificateKeeper } from '../certificate-keeper.ts';
import { readClientAuth } from '../client-auth.ts';
import { createCertificateReader } from '../files.ts';
import { provisionCertificates, type Provisioned, type TlsDocument } from '../provision.ts';
import { createMemoryUploadStore } from './_memory-upload-store.ts';
import { serialOf, Uploads } from './uploads.ts';
import type { CertificateEntry } from '../certificate-set.ts';
import type { UploadStore } from '../../core/upload-store.ts';
import type { Logger } from '../../core/log.ts';

const DAY = 86_400_000;
let fixture: Fixture;

before(() => {
  fixture = createFixture();
  fixture.make('one', { names: ['a.example.com', 'b.example.com'], days: 90 });
  fixture.make('next', { names: ['b.example.com', 'a.example.com'], days: 60 });
  fixture.make('rsa', { names: ['a.example.com', 'b.example.com'], kind: 'rsa' });
  fixture.make('wild', { names: ['*.example.com'], days: 300 });
});
after(() => fixture.remove());

const seal = { seal: (purpose: string, text: string) => `${purpose}:${text}`, unseal: unsealed };

function unsealed(purpose: string, sealed: string): string | null {
  return sealed.startsWith(`${purpose}:`) ? sealed.slice(purpose.length + 1) : null;
}

function rig(store: UploadStore = createMemoryUploadStore()): {
  uploads: Uploads;
  store: UploadStore;
  lines: string[];
} {
  const lines: string[] = [];
  const log = (_: object, message: string): void => void lines.push(message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  let now = Date.now();
  const clock = { now: () => (now += 1) };
  return { uploads: new Uploads({ store, seal, clock, logger }), store, lines };
}

const pair = (name: string): { chain: string; keyPem: string } => ({
  chain: fixture.read(`${name}.pem`),
  keyPem: fixture.read(`${name}.key`),
});

test('Uploads keeps certificates over restarts; a new one takes the place of one for the same names', async () => {
  const { uploads, store } = rig();
  const first = await uploads.add(pair('one'));
  assert.deepEqual([first.isKnown, first.replaced], [false, []]);
  assert.equal((await uploads.add(pair('one'))).isKnown, true);
  await uploads.add(pair('rsa'));
  const next = await uploads.add(pair('next'));
  assert.deepEqual(next.replaced, [serialOf(first.upload.entry)], 'the same names in another order');
  const again = rig(store).uploads;
  await again.load();
  assert.deepEqual(
    again.entries.map(({ id, keyType, source }) => [id, keyType, source]),
    uploads.entries.map(({ id, keyType, source }) => [id, keyType, source]),
  );
  assert.deepEqual(
    again.entries.map((entry) => entry.keyType),
    ['ec', 'rsa'],
  );
  await again.remove(next.upload.entry.id);
  assert.equal((await store.listUploads()).length, 1);
});

test('Uploads tells of a key that another key file sealed, and does not use it', async () => {
  const { uploads, store } = rig();
  await uploads.add(pair('one'));
  const [stored] = await store.listUploads();
  if (stored !== undefined) await store.addUpload({ ...stored, sealedKey: 'x' }, []);
  const other = rig(store);
  await other.uploads.load();
  assert.deepEqual(other.uploads.entries, []);
  assert.match(other.lines.join(), /sealed with another key file; upload it again/);
});

async function entriesOf(...names: string[]): Promise<readonly CertificateEntry[]> {
  const { uploads } = rig();
  for (const name of names) await uploads.add(pair(name));
  return uploads.entries;
}

const ACME: NonNullable<TlsDocument['acme']> = {
  email: null,
  policy: { cas: [], fallbackAfter: 3, keyTypes: ['p256'], challenges: ['http-01'], dns: null, onDemand: false },
  hosts: {},
  certificates: [],
};

function documentOf(part: Partial<TlsDocument> = {}, name = 'a.example.com'): TlsDocument {
  const host = { name, tls: { kind: 'automatic' as const }, clientAuth: null, at: ['hosts', name] };
  const tls = { minVersion: 'TLSv1.2' as const, certificates: [] };
  return { tls, acme: null, hosts: [host], fallback: null, signIn: { url: null }, ...part };
}

interface Given {
  readonly uploaded: readonly CertificateEntry[];
  readonly issued?: readonly CertificateEntry[];
  readonly now?: number;
}

function provision(document: TlsDocument, { uploaded, issued = [], now = Date.now() }: Given): Promise<Provisioned> {
  const readCertificate = createCertificateReader();
  return provisionCertificates(document, {
    readCertificate,
    readClientAuth,
    localCa: null,
    now,
    uploaded,
    issued: () => issued,
  });
}

function sourcesFor({ set }: Provisioned, name = 'a.example.com'): string[] {
  return (set.hosts.get(name) ?? []).map((id) => set.certificates.find((entry) => entry.id === id)?.source ?? '');
}

test('provisionCertificates() takes files of the document, then uploads, then what CAs issued', async () => {
  const uploaded = await entriesOf('one');
  const issued = [{ ...(await entriesOf('wild'))[0], source: 'acme' } as CertificateEntry];
  const files = { certificate: fixture.path('wild.pem'), key: fixture.path('wild.key'), at: ['tls'] };
  const withFiles = documentOf({ tls: { minVersion: 'TLSv1.2', certificates: [files] }, acme: ACME });
  assert.deepEqual(sourcesFor(await provision(withFiles, { uploaded, issued })), ['file']);
  const both = await provision(documentOf({ acme: ACME }), { uploaded, issued });
  assert.deepEqual(sourcesFor(both), ['uploaded']);
  assert.deepEqual(both.wanted, [], 'nothing is ordered for what is uploaded');
  assert.deepEqual(sourcesFor(await provision(documentOf({ acme: ACME }), { uploaded: [], issued })), ['acme']);
});

test('provisionCertificates() takes the newest upload of each kind of key, exact before wildcard', async () => {
  const idsFor = async (...names: string[]): Promise<readonly string[] | undefined> => {
    const uploaded = await entriesOf(...names);
    const { set } = await provision(documentOf(), { uploaded });
    return set.hosts
      .get('a.example.com')
      ?.map((id) => set.certificates.find((one) => one.id === id)?.certificatePem ?? '');
  };
  assert.deepEqual(await idsFor('one', 'next'), [fixture.read('next.pem')], 'though it ends earlier');
  assert.deepEqual(await idsFor('one', 'rsa'), [fixture.read('one.pem'), fixture.read('rsa.pem')]);
  assert.deepEqual(await idsFor('one', 'wild'), [fixture.read('one.pem')]);
});

test('a CA steps in before an upload ends that nobody replaces; without one the old one stays', async () => {
  const uploaded = await entriesOf('one');
  const issued = [{ ...(await entriesOf('wild'))[0], source: 'acme' } as CertificateEntry];
  const end = uploaded[0]?.notAfter ?? 0;
  const soon = await provision(documentOf({ acme: ACME }), { uploaded, issued, now: end - 6 * DAY });
  assert.deepEqual(sourcesFor(soon), ['uploaded']);
  assert.equal(soon.wanted.length, 1);
  assert.deepEqual(sourcesFor(await provision(documentOf({ acme: ACME }), { uploaded, issued, now: end })), ['acme']);
  assert.deepEqual(sourcesFor(await provision(documentOf({ acme: ACME }), { uploaded, now: end })), ['uploaded']);
  const alone = await provision(documentOf(), { uploaded, now: end });
  assert.deepEqual(sourcesFor(alone), ['uploaded']);
  assert.match(
    alone.diagnostics.map((one) => one.message).join(),
    /^The uploaded certificate for "a\.example\.com" expired on/,
  );
});

test('the keeper warns 30, 14, 7 and 1 days before an upload ends, and when it has; not where it has a successor', async (t: TestContext) => {
  const uploaded = await entriesOf('next');
  const end = uploaded[0]?.notAfter ?? 0;
  const folder = mkdtempSync(join(tmpdir(), 'postern-uploads-'));
  const lines: string[] = [];
  const log = (_: object, message: string): void => void lines.push(message);
  let now = end - 40 * DAY;
  let entries = uploaded;
  const keeper = createCertificateKeeper({
    caDirectory: folder,
    clock: { now: () => now },
    logger: { debug: log, info: log, warn: log, error: log },
    onChange: () => undefined,
    uploaded: () => entries,
  });
  t.after(async () => {
    await keeper.close();
    rmSync(folder, { recursive: true });
  });
  keeper.adopt(await keeper.prepare(documentOf()));
  const after = async (daysLeft: number): Promise<string> => {
    lines.length = 0;
    now = end - daysLeft * DAY;
    await keeper.review();
    return lines.join().replace(/, on .*/, '');
  };
  assert.equal(await after(31), '');
  assert.equal(await after(30), 'The uploaded certificate for "b.example.com" expires within 30 days');
  assert.equal(await after(29.9), '', 'told once');
  assert.match(await after(14), /within 14 days$/);
  assert.match(await after(7), /within 7 days$/);
  assert.match(await after(1), /within 1 day$/);
  assert.match(await after(0), /^The uploaded certificate for "b\.example\.com" expired on/);
  entries = await entriesOf('next', 'wild');
  assert.doesNotMatch(await after(0), /expire/);
});
