import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadDocument } from '../config/load.ts';
import { upstreamWarnings } from './upstream-warnings.ts';

test('upstreamWarnings() names folders that are none, each once, and is silent about good ones', () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-folders-'));
  writeFileSync(join(dir, 'file'), '');
  const text = `version: 1
hosts:
  a.example.com: { tls: local, to: "files:${dir}", allow: [public] }
  b.example.com: { tls: local, to: "files:${dir}/none", allow: [public] }
  c.example.com:
    tls: local
    paths:
      /x/*: { to: "files:${dir}/file", allow: [public] }
      /*: { to: "files:${dir}/none", allow: [public] }
`;
  const { document } = loadDocument({ text, file: 'postern.yaml', env: {}, readFile: () => '' });
  assert.ok(document !== null);
  assert.deepEqual(
    upstreamWarnings(document).toSorted(),
    [
      `Folder "${dir}/file" of "files:" is no folder: all of it is 404`,
      `Folder "${dir}/none" of "files:" does not exist: all of it is 404`,
    ].toSorted(),
  );
  rmSync(dir, { recursive: true });
});
