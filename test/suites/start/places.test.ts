/** Places that a start cannot use: each is one clear line with the remedy, whatever command met it. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import { killLate } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';

const PROGRAM = resolve(import.meta.dirname, '../../../bin/postern');
const FORWARD_AUTH = [
  'forward-auth',
  '--provider=oidc',
  '--oidc-issuer-url=https://id.example.com',
  '--skip-oidc-discovery',
  '--login-url=https://id.example.com/l',
  '--redeem-url=https://id.example.com/r',
  '--oidc-jwks-url=https://id.example.com/j',
  '--client-id=a',
  '--client-secret=b',
  '--email-domain=*',
  '--cookie-secret=0123456789abcdef0123456789abcdef',
  '--upstream=static://202',
];

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

function start(args: readonly string[], under: readonly string[] = []): Promise<Ended> {
  const [program = '', ...rest] = [...under, PROGRAM, ...args];
  return new Promise((done) => {
    const child = spawn(program, rest);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const spare = killLate(child);
    child.on('close', (code) => {
      spare();
      done({ code, output });
    });
  });
}

/** The shell stands in a folder that it removes, and becomes what it starts. */
function startInGoneFolder(dir: string, args: readonly string[]): Promise<Ended> {
  const gone = join(dir, 'gone');
  mkdirSync(gone);
  return start(args, ['sh', '-c', 'cd "$0" && rmdir "$0" && exec "$@"', gone]);
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'postern-places-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function writeDocument(dir: string, more = ''): Promise<string> {
  const [port = 0] = await freePorts(1);
  const file = join(dir, 'postern.yaml');
  writeFileSync(
    file,
    `version: 1
listen: { http: { address: "127.0.0.1:${port}", tls: off }, https: off }
hosts: { app.test: { tls: off, to: "http://127.0.0.1:9", allow: [public] } }
${more}`,
  );
  return file;
}

const GONE =
  /Cannot go on: the folder ".*\/gone" that Postern was started in was removed; start it in one that is there/;

suite('places that a start cannot use', () => {
  test('a working folder that was removed is named by whatever needs one', async (t) => {
    const dir = folder(t);
    const file = await writeDocument(dir);
    for (const args of [
      ['run', '--config', file, '--data', join(dir, 'data')],
      ['run', '--config', 'postern.yaml'],
      FORWARD_AUTH,
      ['user', 'list'],
      ['explain', 'http://app.test/'],
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- two at once remove one folder
      const { code, output } = await startInGoneFolder(dir, args);
      assert.deepEqual([code, GONE.test(output)], [1, true], `${args.join(' ')}: ${output}`);
      assert.doesNotMatch(output, /INTERNAL|uv_cwd/);
    }
  });

  test('a gateway whose working folder is removed while it runs goes on, and begins workers', async (t) => {
    const gone = join(folder(t), 'gone');
    const document =
      (workers: number) =>
      ({ http }: { readonly http: number }): string =>
        `version: 1
workers: ${workers}
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: off }
hosts: { app.test: { tls: off, respond: { status: 200, body: here }, allow: [public] } }
`;
    const wrap = ['sh', '-c', 'mkdir "$0" && cd "$0" && exec "$@"', gone];
    const postern = await startPostern({ document: document(1), wrap });
    try {
      rmdirSync(gone);
      postern.writeConfig(document(2)(postern));
      const { code, stderr } = await postern.cli('reload');
      assert.equal(code, 0, stderr + postern.output());
      const request = 'GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n';
      const { text } = await sendRaw(postern.http, request, { quietMs: 60_000 });
      assert.match(text, /^HTTP\/1\.1 200 [^]*here$/);
      assert.doesNotMatch(postern.output(), /uv_cwd|started again/);
    } finally {
      await postern.close();
    }
  });

  test('a command that needs no working folder goes on without', async (t) => {
    const dir = folder(t);
    const { code, output } = await startInGoneFolder(dir, ['check', '--config', await writeDocument(dir)]);
    assert.equal(code, 0, output);
    const asked = await startInGoneFolder(dir, ['reload', '--data', join(dir, 'data')]);
    assert.match(asked.output, /CONTROL_UNAVAILABLE|DATA_DIR_UNUSABLE/);
  });

  test('a socket path that the kernel cannot take is named with its limit', async (t) => {
    const dir = folder(t);
    const long = join(dir, 'x'.repeat(120));
    const file = await writeDocument(dir);
    const gateway = await start(['run', '--config', file, '--data', long], ['env', '--chdir=/']);
    assert.equal(gateway.code, 1, gateway.output);
    assert.match(
      gateway.output,
      /control socket ".*": its path is longer than the 107 bytes .*; name a data folder with/,
    );
    const backend = await start([...FORWARD_AUTH, `--http-address=unix://${long}`]);
    assert.equal(backend.code, 1, backend.output);
    assert.match(
      backend.output,
      /Cannot listen on "unix:.*": the path is longer than the 107 bytes .*; name a shorter one/,
    );
  });

  test('a document that is a named pipe is refused at once, and one that a program writes is read', async (t) => {
    const dir = folder(t);
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const command of ['check', 'run']) {
      // oxlint-disable-next-line no-await-in-loop -- one program at a time
      const { code, output } = await start([command, '--config', pipe]);
      assert.deepEqual([code, /it is a named pipe, .*; name a regular file/.test(output)], [1, true], output);
    }
    for (const flag of ['--config', '--alpha-config', '--env-file']) {
      // oxlint-disable-next-line no-await-in-loop -- one program at a time
      const { code, output } = await start(['forward-auth', flag, pipe]);
      assert.deepEqual([code, /which is a named pipe, .*; name a regular file/.test(output)], [1, true], output);
    }
    const pair = await writeDocument(dir, `tls: { certificates: [{ certificate: ${pipe}, key: ${pipe} }] }\n`);
    const checked = await start(['check', '--config', pair]);
    assert.match(checked.output, /File ".*pipe" cannot be read: it is a named pipe/);
    const file = await writeDocument(dir);
    const piped = await start(['check', '--config', '/dev/stdin'], ['sh', '-c', `cat ${file} | "$0" "$@"`]);
    assert.equal(piped.code, 0, piped.output);
  });

  test('a key, a secret or an authority that is a pipe is refused at once: it would be read again', async (t) => {
    const dir = folder(t);
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const secretless = FORWARD_AUTH.filter((one) => !one.startsWith('--client-secret'));
    for (const [args, under] of [
      [[...FORWARD_AUTH, `--provider-ca-file=${pipe}`], []],
      [[...FORWARD_AUTH, `--oidc-public-key-file=${pipe}`], []],
      [[...FORWARD_AUTH, '--https-address=127.0.0.1:0', `--tls-cert-file=${pipe}`, `--tls-key-file=${pipe}`], []],
      [
        [...secretless, '--client-secret-file=/dev/stdin'],
        ['sh', '-c', 'echo secret | "$0" "$@"'],
      ],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one program at a time
      const { code, output } = await start([...args, '--data', join(dir, 'data'), '--http-address=127.0.0.1:0'], under);
      assert.equal(code, 1, output);
      assert.match(output, /which is a pipe: it can be read only once, .*; name a regular file/, output);
    }
  });

  test('a device without end, or a file that nobody meant, is read no further than documents go', async (t) => {
    const dir = folder(t);
    const file = await writeDocument(dir);
    const huge = join(dir, 'huge.yaml');
    writeFileSync(huge, '');
    truncateSync(huge, 3 * 1024 ** 3);
    const wrong = '/dev/zero';
    for (const args of [
      ['run', '--config', wrong, '--data', join(dir, 'data')],
      ['run', '--config', huge, '--data', join(dir, 'data')],
      ['check', '--config', file, '--env-file', wrong],
      ['policy', 'diff', wrong, file, '--log', '/dev/null'],
      ['guard', '--env-file', wrong],
      [...FORWARD_AUTH, '--env-file', wrong],
      [...FORWARD_AUTH, '--config', huge],
      [...FORWARD_AUTH.filter((one) => !one.startsWith('--client-secret')), '--client-secret-file', wrong],
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one program at a time
      const { code, output } = await start(args);
      const isSaid = /"(\/dev\/zero|.*\/huge\.yaml)".* is longer than 32 MiB/.test(output);
      assert.deepEqual([code, isSaid], [1, true], `${args.join(' ')}: ${output}`);
    }
    writeFileSync(file, 'version: 1\nsign_in: { name: "${file:/dev/zero}" }\n');
    const { code, output } = await start(['check', '--config', file]);
    assert.deepEqual([code, /"\/dev\/zero", which cannot be read: it is longer/.test(output)], [1, true], output);
  });

  test('lists and keys of forward-auth that are huge or never end are named, and no memory is filled with them', async (t) => {
    const dir = folder(t);
    const huge = join(dir, 'huge');
    writeFileSync(huge, '');
    truncateSync(huge, 3 * 1024 ** 3);
    const domains = FORWARD_AUTH.filter((one) => !one.startsWith('--email-domain'));
    for (const [args, limit] of [
      [[...domains, '--authenticated-emails-file', huge], 64],
      [[...FORWARD_AUTH, '--htpasswd-file', huge], 64],
      [[...FORWARD_AUTH, '--provider-ca-file', '/dev/zero'], 32],
      [[...FORWARD_AUTH, '--oidc-public-key-file', '/dev/zero'], 32],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one program at a time
      const { code, output } = await start([...args, '--data', join(dir, 'data')]);
      assert.equal(code, 1, `${args.join(' ')}: ${output}`);
      assert.match(output, new RegExp(`"(/dev/zero|.*/huge)".* is longer than ${limit} MiB`), args.join(' '));
    }
  });

  test('a limit of open files that is too low is named before anything else fails by it', async (t) => {
    const dir = folder(t);
    const file = await writeDocument(dir);
    const wrong =
      /^postern: Cannot start: \d+ open files are allowed here, .* needs \d+ at least; raise LimitNOFILE=.*$/;
    // Below this Node itself ends by a signal.
    for (const [limit, args] of [
      [24, ['user', 'add', 'alice', '--data', join(dir, 'data')]],
      [24, ['check', '--config', file]],
      [24, FORWARD_AUTH],
      [24, ['run', '--config', file, '--data', join(dir, 'data')]],
      [36, ['run', '--config', file, '--data', join(dir, 'data')]],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one program at a time
      const { code, output } = await start(args, ['sh', '-c', `ulimit -n ${limit} && exec "$0" "$@"`]);
      assert.deepEqual([code, output.trim().split('\n').length], [1, 1], `${limit} ${args.join(' ')}: ${output}`);
      assert.match(output.trim(), wrong);
    }
    writeFileSync(file, readFileSync(file, 'utf8').replace('\n', '\nworkers: 4\n'));
    const args = ['run', '--config', file, '--data', join(dir, 'data')];
    const { code, output } = await start(args, ['sh', '-c', 'ulimit -n 50 && exec "$0" "$@"']);
    assert.deepEqual(
      [code, /Postern with 4 workers needs .*, or set fewer "workers:"/.test(output)],
      [1, true],
      output,
    );
  });

  test('a reload to more workers than the limit of open files allows is refused with the remedy, and it serves on', async () => {
    const document = ({ http, health }: { http: number; health: number }, workers: number): string => `version: 1
workers: ${workers}
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
  app.test: { tls: off, respond: fixed, allow: [public] }
`;
    const wrap = ['sh', '-c', 'ulimit -n 50 && exec "$0" "$@"'];
    const postern = await startPostern({ document: (ports) => document(ports, 1), wrap });
    try {
      postern.writeConfig(document(postern, 4));
      const { code, stderr } = await postern.cli('reload');
      assert.equal(code, 1);
      assert.match(
        stderr,
        /Cannot reload: 50 open files are allowed here, \d+ are open, and .*, or set fewer "workers:"/,
      );
      const { statuses } = await sendRaw(postern.http, 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
      assert.deepEqual(statuses, [200]);
    } finally {
      await postern.close();
    }
  });

  test('a data folder that is made under any umask can be used by whoever made it', async (t) => {
    const dir = folder(t);
    for (const umask of ['0777', '0177', '0277']) {
      const data = join(dir, umask, 'data');
      const wrap = ['sh', '-c', `umask ${umask} && exec "$0" "$@"`];
      // oxlint-disable-next-line no-await-in-loop -- one program at a time
      const made = await start(['user', 'add', 'alice', '--data', data], wrap);
      assert.deepEqual([made.code, statSync(data).mode & 0o777], [0, 0o700], made.output);
      const modes = readdirSync(data).map((name) => `${name} ${(statSync(join(data, name)).mode & 0o777).toString(8)}`);
      assert.deepEqual(modes, ['postern.db 600', 'postern.lock 600', 'seal.key 600']);
      // oxlint-disable-next-line no-await-in-loop -- one program at a time
      const again = await start(['user', 'list', '--data', data], wrap);
      assert.deepEqual([again.code, /alice/.test(again.output)], [0, true], again.output);
    }
  });
});
