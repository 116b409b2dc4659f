/**
 * `watch: true`: the document and its env file are loaded again when they change, however editors and
 * Kubernetes write files. A document with a problem leaves the running one, and the next good one serves.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { startPostern } from '../../support/postern.ts';
import type { PosternOptions, PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';

type Ports = Parameters<PosternOptions['document']>[0];

const document = ({ http, health }: Ports, body: string): string => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
watch: true
hosts:
  app.test: { tls: off, respond: ${body}, allow: [public] }
`;

const bodyOf = async ({ http }: PosternProcess): Promise<string> => {
  const { text } = await sendRaw(http, 'GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
  return text.slice(text.indexOf('\r\n\r\n') + 4);
};
const says = (postern: PosternProcess, wanted: string): Promise<void> =>
  until(async () => (await bodyOf(postern)) === wanted, `it answers "${wanted}"`);

suite('watch: true', () => {
  test('follows edits in place and by renaming, and bears a bad document', { timeout: 300_000 }, async () => {
    const postern = await startPostern({ document: (ports) => document(ports, 'one') });
    try {
      await says(postern, 'one');
      postern.writeConfig(document(postern, 'two'));
      await says(postern, 'two');

      writeFileSync(`${postern.configFile}.new`, document(postern, 'three'));
      renameSync(`${postern.configFile}.new`, postern.configFile);
      await says(postern, 'three');

      const from = postern.output().length;
      postern.writeConfig(document(postern, 'four').replace('allow:', 'alow:'));
      await postern.waitFor(/Document not reloaded, the running one stays/, from);
      assert.match(postern.output().slice(from), /did you mean \\"allow/);
      assert.equal(await bodyOf(postern), 'three');

      rmSync(postern.configFile);
      writeFileSync(postern.configFile, document(postern, 'five'));
      await says(postern, 'five');
    } finally {
      await postern.close();
    }
  });

  test('follows the env file', { timeout: 300_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-watch-'));
    const env = join(dir, 'postern.env');
    writeFileSync(env, 'SAID=one\n');
    const postern = await startPostern({
      args: ['--env-file', env],
      document: (ports) => document(ports, '"${SAID}"'),
    });
    try {
      await says(postern, 'one');
      writeFileSync(env, 'SAID=two\n');
      await says(postern, 'two');
    } finally {
      await postern.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('follows a ConfigMap, whose files are links into a folder that is swapped', { timeout: 300_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-configmap-'));
    let ports: Ports | null = null;
    const write = (version: string, body: string): void => {
      mkdirSync(join(dir, version));
      if (ports !== null) writeFileSync(join(dir, version, 'postern.yaml'), document(ports, body));
      symlinkSync(version, join(dir, '..data_tmp'));
      renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
    };
    const postern = await startPostern({
      configFile: join(dir, 'postern.yaml'),
      document: (given) => {
        ports = given;
        write('..one', 'one');
        symlinkSync('..data/postern.yaml', join(dir, 'postern.yaml'));
        return null;
      },
    });
    try {
      await says(postern, 'one');
      write('..two', 'two');
      await says(postern, 'two');
    } finally {
      await postern.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
