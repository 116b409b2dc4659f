/**
 * Every command as somebody types it who does not know it yet: wrong, missing or odd arguments get one
 * clear line with the remedy, a code that is not 0, no stack trace, and nothing is made or overwritten.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { freePorts } from '../../support/free-ports.ts';
import { runPostern, startPostern } from '../../support/postern.ts';
import { killLate, until } from '../../support/programs.ts';
import type { PosternProcess } from '../../support/postern.ts';

const PROGRAM = resolve(import.meta.dirname, '../../../bin/postern');
const root = mkdtempSync(join(tmpdir(), 'postern-commands-'));
after(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Circumstances {
  readonly cwd?: string;
  readonly program?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

function command(args: readonly string[], how: Circumstances = {}): Promise<Ended> {
  const { cwd = root, program = PROGRAM, env = process.env } = how;
  return new Promise((done) => {
    const child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.end(how.input ?? '');
    const spare = killLate(child);
    child.on('close', (code) => {
      spare();
      done({ code, stdout, stderr });
    });
  });
}

function sh(line: string): Promise<Ended> {
  return command(['-c', line], { program: '/bin/sh' });
}

/** Arguments, and what the one line must say. */
const REFUSED: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [['bogus'], /unknown command 'bogus'/],
  [['rnu'], /Did you mean run\?/],
  [['token', 'create'], /--for <name>[\s\S]*\(postern token create --help shows what there is\)/],
  [['run', '--bogus'], /unknown option '--bogus'/],
  [['run', 'extra'], /too many arguments/],
  [
    ['run', '--config', 'nope.yaml'],
    /Cannot read document ".*nope\.yaml": there is no such file; name yours with --config/,
  ],
  [['run', '--config', '.'], /it is a folder; name the file in it/],
  [['run', '--config', 'nope.yaml/x'], /there is no such file|not a folder/],
  [['run', '--env-file', 'x.env'], /Cannot use --env-file: it needs a document; add --config FILE/],
  [['run', '--watch'], /Cannot use --watch: it needs a document/],
  [['run', '--config', 'a.yaml', '--to', 'http://127.0.0.1:1'], /Cannot use --to: it is for the embedded default/],
  [['run', '--to', 'foo'], /Cannot use --to "foo": it is not the URL of an app; write "http:\/\/foo"/],
  [['run', '--to', 'ws://127.0.0.1:1'], /write "http:\/\/127\.0\.0\.1:1"; WebSockets pass by themselves/],
  [['run', '--https', 'banana'], /Cannot use --https "banana": .* it has no port; write ":443"/],
  [['run', '--https', '99999'], /99999 is no port/],
  [['run', '--https', '192.0.2.55:8443'], /this machine does not have that address/],
  [['check'], /there is no such file; name yours with --config FILE/],
  [['config', 'show', '--config', 'nope.yaml'], /there is no such file/],
  [['explain'], /missing required argument 'url'/],
  [['explain', 'http://x/'], /no Postern runs with this data folder; give --config FILE/],
  [['reload'], /Cannot reach control socket in "data": no Postern runs with this data folder/],
  [['user', 'add'], /missing required argument 'name'/],
  [['user', 'add', 'Bad Name!'], /Cannot add account "Bad Name!": write 1 to 64 of a-z/],
  [['user', 'list'], /Cannot use data folder "data": Postern has never run with it; name the right one with --data/],
  [['user', 'disable', 'zed'], /Postern has never run with it/],
  [['sessions', 'revoke'], /give either a session id or --user NAME/],
  [['ca', 'export'], /"data" has no local CA yet/],
  [['hash-password'], /the password is empty/],
  [['install'], /required option '--config <file>' not specified/],
  [['install', '--config', 'a b.yaml', '--root', 'r'], /holds a character that systemd would read otherwise/],
  [['install', '--config', 'a.yaml', '--root', 'r', '--user', 'Root!'], /"Root!" is not a user name/],
];

suite('commands that cannot be', () => {
  for (const [args, says] of REFUSED) {
    test(`postern ${args.join(' ')}`, async () => {
      const cwd = mkdtempSync(join(root, 'refused-'));
      const { code, stdout, stderr } = await command(args, { cwd });
      assert.notEqual(code, 0);
      assert.match(stderr, says);
      assert.doesNotMatch(stdout + stderr, /\n\s+at |node:internal/, 'no stack trace');
      // An account may be added before the first start; all else leaves nothing behind.
      if (args[1] !== 'add') assert.deepEqual(readdirSync(cwd), []);
    });
  }

  test('a password that no check would ever read is not hashed', async () => {
    const { code, stderr } = await command(['hash-password'], { input: 'a'.repeat(1_025) });
    assert.equal(code, 1);
    assert.match(stderr, /longer than 1024 bytes/);
    assert.match((await command(['hash-password'], { input: 'a'.repeat(1_024) })).stdout, /^\$argon2id\$/);
  });

  test('a busy port of the embedded default names another one, and makes no data folder', async () => {
    const holder = createServer();
    await new Promise<void>((done) => {
      holder.listen(0, '127.0.0.1', done);
    });
    const { port } = holder.address() as { port: number };
    const cwd = mkdtempSync(join(root, 'busy-'));
    const { code, stderr } = await command(['run', '--https', `127.0.0.1:${port}`], { cwd });
    holder.close();
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(`another program has it; stop it .* or take another port: --https 127\\.0\\.0\\.1:${port + 1}`),
    );
    assert.deepEqual(readdirSync(cwd), []);
  });
});

const DOCUMENT = (port: number): string => `version: 1
listen: { http: { address: "127.0.0.1:${port}", tls: off }, https: off, health: off }
hosts: { app.test: { tls: off, to: "http://127.0.0.1:9", allow: ["ip:\${PEER}"] } }
`;

/** Where nothing can be made, or making a folder fails oddly: /proc answers for ever that the new one is missing. */
function awkwardPlaces(): readonly string[] {
  const dir = mkdtempSync(join(root, 'places-'));
  writeFileSync(join(dir, 'file'), 'mine');
  symlinkSync(join(dir, 'nowhere', 'at', 'all'), join(dir, 'dangling'));
  const own = ['file', 'file/below', 'dangling'].map((name) => join(dir, name));
  return [...own, '/proc/postern/below', '/proc/self', '/dev/full'];
}

suite('a place where nothing can be written is one line with the remedy', () => {
  const config = join(root, 'place.yaml');
  writeFileSync(config, DOCUMENT(9).replace('${PEER}', '192.0.2.1'));
  const app = ['--client-id=a', '--client-secret=b', '--cookie-secret=0123456789abcdef', '--email-domain=*'];
  const local = ['--to', '9', '--url', 'https://a.test', '--allow', 'signed-in'];
  const commands: readonly (readonly [name: string, args: readonly string[]])[] = [
    ['postern install --root', ['install', '--config', config, '--root']],
    ['postern user add --data', ['user', 'add', 'alice', '--data']],
    ['postern run --data', ['run', '--config', config, '--data']],
    ['postern ca export --data', ['ca', 'export', '--data']],
    ['postern forward-auth --data', ['forward-auth', ...app, '--provider=github', '--data']],
    ['postern guard --data', ['guard', ...local, '--data']],
  ];
  for (const [name, args] of commands) {
    test(name, { timeout: 300_000 }, async () => {
      for (const place of awkwardPlaces()) {
        const { code, stderr } = await command([...args, place]);
        assert.equal(code, 1, `${place}: ${stderr}`);
        assert.match(stderr, /^postern: Cannot .*; .* \[(?:OPERATION_REFUSED|DATA_DIR_UNUSABLE)\]\n$/m, place);
        assert.doesNotMatch(stderr, /\n\s+at |node:internal|INTERNAL/, 'no stack trace');
        if (place.endsWith('/file')) assert.equal(readFileSync(place, 'utf8'), 'mine');
      }
    });
  }

  test('a disk too full for what is printed', async () => {
    const { code, stderr } = await sh(`"${PROGRAM}" config schema > /dev/full`);
    assert.equal(code, 1);
    assert.equal(stderr, 'postern: Cannot print: the disk is full; free some space [OPERATION_REFUSED]\n');
    assert.equal((await sh(`"${PROGRAM}" check --config nope.yaml 2> /dev/full`)).code, 1);
  });
});

suite('commands wherever they are typed', () => {
  test('every command explains itself by --help', async () => {
    const names = ['', 'run', 'check', 'reload', 'explain', 'config show', 'config schema', 'ca export', 'ca install'];
    names.push('user add', 'user list', 'user link', 'user groups', 'user disable', 'user enable', 'user delete');
    names.push('sessions list', 'sessions revoke', 'hash-password', 'install');
    for (const name of names) {
      const { code, stdout } = await command([...name.split(' ').filter((word) => word !== ''), '--help']);
      assert.equal(code, 0, name);
      assert.match(stdout, new RegExp(`^Usage: postern ?${name}`));
    }
  });

  test('a document is the same from any folder, through a symbolic link, without HOME', async () => {
    const dir = join(root, 'doc');
    mkdirSync(join(dir, 'sub'), { recursive: true });
    writeFileSync(join(dir, 'peer.txt'), '192.0.2.1\n');
    writeFileSync(join(dir, 'postern.yaml'), DOCUMENT(1).replace('${PEER}', '${file:peer.txt}'));
    symlinkSync(PROGRAM, join(root, 'linked-postern'));
    const program = join(root, 'linked-postern');
    const env = { PATH: process.env['PATH'] };
    for (const [cwd, config] of [
      [dir, 'postern.yaml'],
      [join(dir, 'sub'), '../postern.yaml'],
      ['/', join(dir, 'postern.yaml')],
    ] as const) {
      const { code, stdout, stderr } = await command(['check', '--config', config], { cwd, program, env });
      assert.equal(code, 0, stderr);
      assert.match(stdout, /is good: 1 host/);
    }
  });

  test('--env-file is ours, not the runtime’s: a missing one is our error, and what it sets reaches no environment', async () => {
    const [port = 0] = await freePorts(1);
    const file = join(root, 'env.yaml');
    writeFileSync(file, DOCUMENT(port));
    const missing = await command(['check', '--config', file, '--env-file', join(root, 'missing.env')]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /Cannot read env file ".*missing\.env": there is no such file/);
    writeFileSync(join(root, 'bad.env'), 'PEER=192.0.2.1\nnonsense\n');
    const bad = await command(['check', '--config', file, '--env-file', join(root, 'bad.env')]);
    assert.match(bad.stderr, /Cannot read env file ".*bad\.env": line 2/);
    // Read by Node, this would load a module before anything of Postern runs.
    writeFileSync(
      join(root, 'good.env'),
      `PEER=192.0.2.1\nNODE_OPTIONS=--require=${join(root, 'no-such-module.js')}\n`,
    );
    const good = await command(['check', '--config', file, '--env-file', join(root, 'good.env')]);
    assert.equal(good.code, 0, good.stderr);
  });

  test('a variable that leaves the env file is gone at the next reload, which says so and changes nothing', async () => {
    const postern = await startPostern({
      files: { 'x.env': 'PEER=192.0.2.1\n' },
      args: ['--env-file', 'x.env'],
      document: ({ http }) => DOCUMENT(http),
    });
    try {
      writeFileSync(join(postern.dir, 'x.env'), '# nothing\n');
      const refused = await postern.cli('reload');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /postern\.yaml:3:\d+ .*PEER/);
      writeFileSync(join(postern.dir, 'x.env'), 'PEER=192.0.2.2\n');
      assert.equal((await postern.cli('reload')).code, 0);
    } finally {
      await postern.close();
    }
  });

  test('a pipe that is read slowly, or not to the end, is no error', async () => {
    const whole = await command(['config', 'schema']);
    const slow = await sh(`"${PROGRAM}" config schema | { sleep 1; cat; }`);
    assert.equal(slow.stdout, whole.stdout);
    const cut = await sh(`{ "${PROGRAM}" config schema; echo "code $?" >&2; } | head -c 100 >/dev/null`);
    assert.equal(cut.stderr, 'code 0\n');
  });

  test('accounts may be there before the first start; the link comes after it', async () => {
    const data = join(root, 'early');
    const added = await runPostern(['user', 'add', 'alice', '--data', data]);
    assert.equal(added.code, 0, added.stderr);
    assert.match(added.stdout, /User "alice" is added, without a link yet.*\n.*postern user link alice/);
    const odd = await runPostern(['user', 'add', 'bob', '--email', 'a@b@c', '--data', data]);
    assert.match(odd.stderr, /"a@b@c" is not an e-mail address/);
    const groups = await runPostern(['user', 'groups', 'alice', 'a\tb', '--data', data]);
    assert.match(groups.stderr, /"a\\tb" is no group/);
    const list = await runPostern(['user', 'list', '--json', '--data', data]);
    assert.deepEqual(
      (JSON.parse(list.stdout) as { name: string }[]).map((it) => it.name),
      ['alice'],
    );
  });

  const isRoot = process.getuid?.() === 0;
  test(
    'root on the folder of a service leaves no file that the service could not open',
    { skip: !isRoot && 'needs root' },
    async () => {
      const open = mkdtempSync(join(root, 'owned-'));
      for (const path of [root, open]) chmodSync(path, 0o755);
      const data = join(open, 'data');
      mkdirSync(data, { mode: 0o700 });
      chownSync(data, 65_534, 65_534);
      const added = await runPostern(['user', 'add', 'alice', '--data', data]);
      assert.equal(added.code, 0, added.stderr);
      const names = readdirSync(data);
      assert.ok(names.includes('postern.db'));
      for (const name of names) assert.equal(statSync(join(data, name)).uid, 65_534, name);
    },
  );

  test('explain takes an address as people write it, and says where nobody has that name', async () => {
    const postern = await startPostern({
      document: ({ http }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: off }
providers: { local: { type: local } }
sign_in: { url: "http://auth.test:${http}" }
session: { insecure_http: true }
hosts: { app.test: { tls: off, to: "http://127.0.0.1:9", allow: ["group:staff"] } }
`,
    });
    try {
      await postern.cli('user', 'add', 'carol', '--group', 'staff');
      await postern.cli('user', 'disable', 'carol');
      const known = await postern.cli('explain', 'app.test/x', '--as', 'carol');
      assert.match(known.stdout, /Allowed by "local:group:staff"\nNote: account "carol" is disabled/);
      const unknown = await postern.cli('explain', 'http://app.test/', '--as', 'nobody-here');
      assert.match(unknown.stdout, /^Denied by[\s\S]*Note: there is no account "nobody-here"/m);
      assert.equal((await postern.cli('explain', 'app.test', '--method', 'G T')).code, 1);
      const field = await postern.cli('explain', 'app.test', '--header', 'no field');
      assert.deepEqual([field.code, /"no field" is not a header field/.test(field.stderr)], [1, true]);
      assert.equal((await postern.cli('explain', 'app.test', '--header', 'X-Key: k')).code, 0);
    } finally {
      await postern.close();
    }
  });
});

suite('explain knows machines and links as it knows people', () => {
  let postern: PosternProcess;
  before(async () => {
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
services: { promtail: { password: "$2a$05$WnISqYUMNkFN6z8o2QglZOaCDtbsdunXCFe/8yDlm85RmjNkM8cvC" } }
hosts: { app.localhost: { to: "http://127.0.0.1:9", allow: [signed-in, link, "token:ci", "service:promtail"] } }
`,
    });
  });
  after(() => postern?.close());

  const explained = async (path: string, who: string): Promise<string> => {
    const { code, stdout, stderr } = await postern.cli('explain', `app.localhost${path}`, '--as', who);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  test('a link counts where it leads and nowhere else', async () => {
    const url = `https://app.localhost:${postern.https}/docs/*`;
    assert.equal((await postern.cli('link', 'create', url, '--name', 'guest')).code, 0);
    const note = 'Note: link "guest" leads to "app.localhost/docs/*" and counts nowhere else';
    assert.ok((await explained('/docs/a', 'link:guest')).endsWith(`Allowed by "link"\n${note}\n`));
    const elsewhere = await explained('/other', 'link:guest');
    assert.match(elsewhere, /^Asked to sign in/m);
    assert.ok(elsewhere.endsWith(`${note}\n`), elsewhere);
    assert.match(
      await explained('/docs/a', 'link:gone'),
      /Allowed by "link"\nNote: there is no link "gone"; judged as if/,
    );
  });

  test('a machine that nobody has made is judged as if it were there, and said to be none', async () => {
    assert.match(await explained('/', 'token:ci'), /Allowed by "token:ci"\nNote: there is no token for "ci"/);
    assert.equal((await postern.cli('token', 'create', '--for', 'ci', '--expires', '1s')).code, 0);
    await until(async () => /every token for "ci" has expired/.test(await explained('/', 'token:ci')), 'it expires');
    assert.equal((await postern.cli('token', 'create', '--for', 'ci')).code, 0);
    assert.match(await explained('/', 'token:ci'), /Allowed by "token:ci"\n$/);
    assert.match(await explained('/', 'service:promtail'), /Allowed by "service:promtail"\n$/);
    const unknown = /^Denied by[\s\S]*Note: the document has no service "promtial"; judged as if it had/m;
    assert.match(await explained('/', 'service:promtial'), unknown);
    const byFile = ['explain', 'app.localhost', '--as', 'service:promtial', '--config', postern.configFile];
    assert.match((await runPostern(byFile)).stdout, unknown);
  });
});

suite('postern install', () => {
  test('writes a unit and an env file, keeps what an operator changed, and says who could not read it', async () => {
    const dir = mkdtempSync(join(root, 'install-'));
    const config = join(dir, 'postern.yaml');
    writeFileSync(config, DOCUMENT(1), { mode: 0o640 });
    const args = ['install', '--config', config, '--root', dir];
    const first = await runPostern(args);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /closed to other users, so "postern" cannot reach/);
    const unit = join(dir, 'etc/systemd/system/postern.service');
    const env = join(dir, 'etc/postern/postern.env');
    writeFileSync(env, 'PEER=192.0.2.1\n');
    assert.equal((await runPostern(args)).code, 0);
    writeFileSync(unit, `${readFileSync(unit, 'utf8')}# mine\n`);
    const refused = await runPostern(args);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /is there and differs; .*systemctl edit postern.* --force/);
    assert.match(readFileSync(unit, 'utf8'), /# mine/);
    assert.equal((await runPostern([...args, '--force'])).code, 0);
    assert.doesNotMatch(readFileSync(unit, 'utf8'), /# mine/);
    assert.equal(readFileSync(env, 'utf8'), 'PEER=192.0.2.1\n');
    const early = await runPostern(['install', '--config', join(dir, 'later.yaml'), '--root', join(dir, 'other')]);
    assert.equal(early.code, 0);
    assert.match(early.stderr, /later\.yaml" is not there yet/);
    assert.ok(existsSync(env));
  });
});
