/** A provider that the document calls otherwise by now: logins that belong to somebody do so by its key. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { startPostern } from '../../support/postern.ts';

interface Row {
  readonly provider: string;
  readonly name: string;
  readonly subject: string;
}

const GITLAB = 'https://gitlab.example.com';

/** What the log says at a start with these providers, where these names were somebody's. */
async function startAfter(t: TestContext, rows: readonly Row[], providers: string): Promise<string> {
  const keepDir = mkdtempSync(join(tmpdir(), 'postern-renamed-'));
  t.after(() => rmSync(keepDir, { recursive: true, force: true }));
  const document = (more: string) => (ports: { readonly https: number }) =>
    `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: off }
providers: { local: { type: local }${more} }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts: { app.localhost: { to: "http://127.0.0.1:9", allow: [signed-in] } }
`;
  await (await startPostern({ document: document(''), keepDir })).close();
  const db = new DatabaseSync(join(keepDir, 'data', 'postern.db'));
  const insert = db.prepare('INSERT INTO pinned_names (provider, name, subject, pinned_at) VALUES (?, ?, ?, 0)');
  for (const { provider, name, subject } of rows) insert.run(provider, name, subject);
  db.close();
  const postern = await startPostern({ document: document(`, ${providers}`), keepDir });
  await postern.close();
  return postern.output();
}

const github = (id: string): string => `${id}: { type: github, client_id: Iv1.a, client_secret: b }`;
const gitlab = (id: string): string => `${id}: { type: gitlab, issuer: "${GITLAB}", client_id: a, client_secret: b }`;
const KEPT: readonly Row[] = [
  { provider: 'github', name: 'alice', subject: '1' },
  { provider: 'github/kept', name: 'alice', subject: '1' },
  { provider: 'github/kept', name: 'bob', subject: '2' },
  { provider: 'gitlab/kept', name: 'carol', subject: `3 of ${GITLAB}` },
];

test('a provider under a new key begins without names, and the log says so with the remedy', async (t) => {
  const output = await startAfter(t, KEPT, `${github('gh')}, ${gitlab('gl')}`);
  assert.match(output, /Provider \\"gh\\" begins without the 2 names that \\"github\\" .*call it \\"github\\" again/);
  assert.match(output, /Provider \\"gl\\" begins without the one name that \\"gitlab\\" .*call it \\"gitlab\\" again/);
});

test('a provider that keeps its key, has names of its own by now, or is at another server is not told of', async (t) => {
  const own: Row = { provider: 'gh/kept', name: 'alice', subject: '1' };
  const other: Row = { provider: 'old/kept', name: 'dora', subject: '4 of https://other.example.com' };
  for (const [rows, providers] of [
    [KEPT.slice(0, 3), github('github')],
    [KEPT.slice(0, 3), `${github('github')}, ${github('second')}`],
    [[...KEPT.slice(0, 3), own], github('gh')],
    [[other], gitlab('gl')],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one gateway at a time
    assert.doesNotMatch(await startAfter(t, rows, providers), /begins without/);
  }
});
