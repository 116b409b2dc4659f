/**
 * A move from certbot, Caddy and Traefik, with what the real programs wrote against real pebble: nothing is ordered
 * anew, the same certificates are served, and the source stays as it was.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { assertReplacements, startPebble, type Pebble } from '../../support/pebble.ts';
import { freePorts } from '../../support/free-ports.ts';
import { runPostern, startPostern, type PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { acmeDocument, visit } from '../acme/rig.ts';
import { runCaddy, runCertbot, runTraefik, stateOf } from './rig.ts';

interface Move {
  readonly pebble: Pebble;
  readonly ports: { http: number; https: number; health: number };
  readonly document: (names: readonly string[], acme?: string) => string;
}

async function withMove(run: (move: Move) => Promise<void>): Promise<void> {
  const [http = 0, https = 0, health = 0] = await freePorts(3);
  // certbot asks once again where a nonce is refused, and gives up where that happens twice.
  const env = { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' };
  const pebble = await startPebble({ httpPort: http, tlsPort: https, env });
  const document = (names: readonly string[], acme = ''): string => {
    const hosts = names.map((name) => `  ${name}: { respond: 200, allow: [public] }`).join('\n');
    return acmeDocument({ pebble, http, https, health, hosts, acme });
  };
  try {
    await run({ pebble, ports: { http, https, health }, document });
  } finally {
    await pebble.stop();
  }
}

async function start(move: Move, dir: string, names: readonly string[]): Promise<PosternProcess> {
  return startPostern({ document: () => move.document(names), keepDir: dir });
}

/** Each name is served with what came by the import, and the CA has issued nothing more. */
async function assertServed(move: Move, names: readonly string[], issued: number): Promise<void> {
  const roots = await move.pebble.issuerPem();
  for (const name of names) assert.equal((await visit(move.ports.https, name, roots)).error, null, name);
  assert.equal(move.pebble.issued(), issued, 'nothing is ordered anew');
}

test(
  'a certbot folder is taken over before the first start; renewals go on with its account',
  { skip: skipWithout('pebble', 'pebble-challtestsrv', 'certbot') },
  async () => {
    await withMove(async (move) => {
      const folder = await runCertbot(move.pebble, move.ports.http, [
        ['a.example.com', 'b.example.com'],
        ['c.example.com'],
      ]);
      writeFileSync(join(folder, 'live', 'README'), 'not a lineage');
      cpSync(join(folder, 'renewal', 'c.example.com.conf'), join(folder, 'renewal', 'broken.example.com.conf'));
      const before = stateOf(folder);
      const dir = mkdtempSync(join(tmpdir(), 'postern-move-'));
      const names = ['a.example.com', 'b.example.com', 'c.example.com'];
      try {
        // Before the first start: nothing is ordered for a moment in between.
        const data = join(dir, 'data');
        const dry = await runPostern(['cert', 'import', folder, '--dry-run', '--data', data]);
        assert.equal(dry.code, 0, dry.stderr);
        assert.match(
          dry.stdout,
          /would import +a\.example\.com, b\.example\.com, good until .* \(live\/a\.example\.com\)\n/,
        );
        assert.match(dry.stdout, /\n2 would be imported; nothing was changed, 0 known already, 1 skipped\n/);
        const done = await runPostern(['cert', 'import', folder, '--data', data]);
        assert.equal(done.code, 0, done.stderr);
        assert.match(done.stdout, /^imported +account [0-9a-f]+ at 127\.0\.0\.1:\d+\n/);
        assert.match(
          done.stdout,
          /skipped +live\/broken\.example\.com: neither live\/broken\.example\.com nor archive/,
        );
        assert.match(done.stdout, /\n2 imported, 0 known already, 1 skipped\n$/);
        assert.equal(stateOf(folder), before, 'the source is as it was');
        const postern = await start(move, dir, names);
        try {
          await assertServed(move, names, 2);
          const again = await postern.cli('cert', 'import', folder);
          assert.match(again.stdout, /^known +account/);
          assert.match(again.stdout, /\n0 imported, 2 known already, 1 skipped\n/);
          const list = await postern.cli('cert', 'list');
          assert.match(list.stdout, /c\.example\.com +acme +in use +Pebble/);
          const renewed = await postern.cli('cert', 'renew', 'c.example.com');
          assert.equal(renewed.code, 0, renewed.stdout + renewed.stderr);
          assertReplacements(move.pebble, 1);
          assert.equal(move.pebble.issued(), 3);
          assert.doesNotMatch(postern.output(), /Creating an account/);
        } finally {
          await postern.close();
        }
      } finally {
        rmSync(dir, { recursive: true, force: true });
        rmSync(dirname(folder), { recursive: true, force: true });
      }
    });
  },
);

test(
  "Caddy's data folder is taken over by a running Postern",
  { skip: skipWithout('pebble', 'pebble-challtestsrv', 'caddy') },
  async () => {
    await withMove(async (move) => {
      const names = ['a.example.com', 'b.example.com'];
      const folder = await runCaddy(move.pebble, move.ports, names);
      const before = stateOf(folder);
      const dir = mkdtempSync(join(tmpdir(), 'postern-move-'));
      const postern = await start(move, dir, ['other.localhost']);
      try {
        const done = await postern.cli('cert', 'import', dirname(folder));
        assert.equal(done.code, 0, done.stderr);
        assert.match(done.stdout, /^imported +acme\/.*\/users\/ops@example\.com at /);
        assert.match(done.stdout, /skipped +certificates\/local\/private\.localhost: it is of Caddy's internal CA/);
        assert.match(done.stdout, /\n2 imported, 0 known already, 1 skipped\n/);
        assert.equal(stateOf(folder), before, 'the source is as it was');
        postern.writeConfig(move.document(names));
        assert.equal((await postern.cli('reload')).code, 0);
        await assertServed(move, names, names.length);
        const renewed = await postern.cli('cert', 'renew', 'a.example.com');
        assert.equal(renewed.code, 0, renewed.stdout + renewed.stderr);
        assertReplacements(move.pebble, 1);
      } finally {
        await postern.close();
        rmSync(dir, { recursive: true, force: true });
      }
    });
  },
);

test(
  "Traefik's acme.json is taken over, its RSA certificates until their renewal",
  { skip: skipWithout('pebble', 'pebble-challtestsrv', 'traefik') },
  async () => {
    await withMove(async (move) => {
      const names = ['a.example.com'];
      const file = await runTraefik(move.pebble, move.ports, names);
      const dir = mkdtempSync(join(tmpdir(), 'postern-move-'));
      try {
        const data = join(dir, 'data');
        const unknown = await runPostern(['cert', 'import', file, '--data', data]);
        assert.equal(unknown.code, 1);
        assert.match(
          unknown.stdout,
          /skipped +resolver ca: the file does not say what CA it used \(account https:.*\): name it with --ca URL/,
        );
        const done = await runPostern(['cert', 'import', file, '--ca', move.pebble.directory, '--data', data]);
        assert.equal(done.code, 0, done.stderr);
        assert.match(done.stdout, /imported +resolver ca, account at .*\nimported +a\.example\.com, good until/);
        const postern = await start(move, dir, names);
        try {
          await assertServed(move, names, 1);
          // Its place beside an ECDSA one: that alone is ordered.
          postern.writeConfig(move.document(names, ', key_type: [p256, rsa4096]'));
          assert.equal((await postern.cli('reload')).code, 0);
          const listed = async (): Promise<string> => (await postern.cli('cert', 'list')).stdout;
          await until(async () => /in use .*p256/.test(await listed()), 'the ECDSA one is there');
          assert.match(await listed(), /a\.example\.com +acme +in use .*rsa4096/);
          assert.equal(move.pebble.issued(), 2);
          const renewed = await postern.cli('cert', 'renew', 'a.example.com');
          assert.equal(renewed.code, 0, renewed.stdout + renewed.stderr);
          await until(() => move.pebble.issued() === 4, 'both are renewed');
        } finally {
          await postern.close();
        }
      } finally {
        rmSync(dir, { recursive: true, force: true });
        rmSync(dirname(file), { recursive: true, force: true });
      }
    });
  },
);

test('what is none of these is named', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-move-'));
  try {
    writeFileSync(join(dir, 'x.json'), '{}');
    for (const path of [dir, join(dir, 'x.json')]) {
      const refused = await runPostern(['cert', 'import', path, '--data', join(dir, 'data')]);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /it is neither certbot's folder \(renewal\/, live\/\), nor Caddy's \(certificates\/\), nor Traefik's acme\.json/,
      );
    }
    const missing = await runPostern(['cert', 'import', join(dir, 'nothing'), '--data', join(dir, 'data')]);
    assert.match(missing.stderr, /Cannot import: ".*nothing" does not exist/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
