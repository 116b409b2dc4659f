/** What the document says of TLS, as a client meets it: versions and key exchange, and how a reload changes them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, type ConnectionOptions } from 'node:tls';
import { skipWithout } from '../../support/peers.ts';
import { startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';

const documentOf = (version: string, https: number, health: number): string => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
tls: { min_version: "${version}" }
hosts:
  app.localhost: { respond: { status: 200, body: hello }, allow: [public] }
`;

/** The version that was agreed on, or why none was. */
function speak(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const where = { port, host: '127.0.0.1', servername: 'app.localhost', rejectUnauthorized: false };
    const socket = connect({ ...where, ...options });
    socket.once('secureConnect', () => {
      resolve(socket.getProtocol() ?? '');
      socket.destroy();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

test('tls.min_version "1.3" leaves TLS 1.2 out; a reload takes it in again and lets open connections be', async () => {
  const postern = await startPostern({ document: ({ https, health }) => documentOf('1.3', https, health) });
  try {
    const old = { maxVersion: 'TLSv1.2' } as const;
    assert.match(await speak(postern.https, old), /PROTOCOL_VERSION/);
    assert.equal(await speak(postern.https, {}), 'TLSv1.3');
    postern.writeConfig(documentOf('1.2', postern.https, postern.health));
    assert.equal((await postern.cli('reload')).code, 0);
    await until(async () => (await speak(postern.https, old)) === 'TLSv1.2', 'TLS 1.2 is spoken');
    postern.writeConfig(documentOf('1.3', postern.https, postern.health));
    assert.equal((await postern.cli('reload')).code, 0);
    await until(async () => /PROTOCOL_VERSION/.test(await speak(postern.https, old)), 'TLS 1.2 is spoken no more');
    assert.equal((await postern.cli('check', '--config', postern.configFile)).code, 0);
  } finally {
    await postern.close();
  }
});

test(
  'key exchange is by X25519MLKEM768 with a client that has it, else by what it has',
  { skip: skipWithout('openssl') },
  async () => {
    const postern = await startPostern({ document: ({ https, health }) => documentOf('1.2', https, health) });
    const agree = (groups: string): Promise<string> =>
      new Promise((resolve) => {
        const args = [
          's_client',
          '-connect',
          `127.0.0.1:${postern.https}`,
          '-servername',
          'app.localhost',
          '-groups',
          groups,
        ];
        const child = execFile('openssl', args, (_error, out, err) => resolve(out + err));
        child.stdin?.end();
      });
    try {
      for (const [groups, wanted] of [
        ['X25519', /X25519/],
        ['P-256', /prime256v1|P-256|ECDH, 256 bits/],
        ['P-384', /secp384r1|P-384|ECDH, 384 bits/],
      ] as const)
        assert.match(await agree(groups), wanted, groups);
      assert.doesNotMatch(await agree('P-521'), /New, TLSv1\.3, Cipher is TLS/);
      // An OpenSSL before 3.5 does not know it: Node's own does, and it is tried in certificate-store.test.ts.
      const hybrid = await agree('X25519MLKEM768:X25519');
      if (!/unknown|Call to SSL_CONF_cmd/.test(hybrid)) assert.match(hybrid, /X25519MLKEM768/);
    } finally {
      await postern.close();
    }
  },
);

test('of many local hosts each has its certificate when somebody comes, on every worker, and again after a restart', async () => {
  const COUNT = 300;
  const document = ({ https, health }: { https: number; health: number }): string => {
    const names = [...Array.from({ length: COUNT }, (_, i) => `h${i}.localhost`), '"*.wild.localhost"'];
    const hosts = names.map((name) => `  ${name}: { respond: { status: 200, body: hello }, allow: [public] }\n`);
    return `version: 1
workers: 2
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
hosts:
${hosts.join('')}`;
  };
  const postern = await startPostern({ document });
  /** The serial number of the certificate, which the exported root vouches for. */
  const visit = async (port: number, name: string, ca: string): Promise<string> => {
    const socket = connect({ port, host: '127.0.0.1', servername: name, ca });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const leaves = (): number => readdirSync(join(postern.dataDir, 'ca', 'leaves')).length / 2;
  try {
    const { stdout: ca } = await postern.cli('ca', 'export');
    assert.ok(leaves() < COUNT / 2, `${leaves()} certificates at the start`);
    const before = leaves();
    // Many at once, to both workers: still one certificate.
    const serials = await Promise.all(Array.from({ length: 12 }, () => visit(postern.https, 'h299.localhost', ca)));
    assert.equal(new Set(serials).size, 1);
    await visit(postern.https, 'x.wild.localhost', ca);
    assert.equal(leaves(), before + 2);
    await assert.rejects(visit(postern.https, 'h300.localhost', ca));
    await assert.rejects(visit(postern.https, 'x.y.wild.localhost', ca));
    const { stdout: listed } = await postern.cli('cert', 'list');
    assert.match(listed, /^h299\.localhost +local +in use/m);
    assert.match(listed, /^h298\.localhost +local +at first visit/m);
    const shown = await postern.cli('cert', 'show', 'h298.localhost');
    assert.equal(shown.code, 0, shown.stderr);
    postern.writeConfig(`${document(postern)}  new.localhost: { respond: 204, allow: [public] }\n`);
    assert.equal((await postern.cli('reload')).code, 0);
    await visit(postern.https, 'new.localhost', ca);
    assert.equal(await visit(postern.https, 'h299.localhost', ca), serials[0]);
    const count = leaves();
    const keepDir = mkdtempSync(join(tmpdir(), 'postern-local-'));
    cpSync(postern.dir, keepDir, { recursive: true });
    const again = await startPostern({ document, keepDir });
    try {
      assert.equal(await visit(again.https, 'h299.localhost', ca), serials[0]);
      assert.equal(readdirSync(join(again.dataDir, 'ca', 'leaves')).length / 2, count);
    } finally {
      await again.close();
      rmSync(keepDir, { recursive: true, force: true });
    }
  } finally {
    await postern.close();
  }
});
