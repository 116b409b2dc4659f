/**
 * Changing one's mind: rules on trial are judged and logged and change nothing; the log of what really
 * happened is replayed against a new document, and says whose access would change.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { after, before, suite, test } from 'node:test';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { PosternProcess } from '../../support/postern.ts';

suite('rules on trial and replayed logs', () => {
  let app: Server;
  let postern: PosternProcess;
  const url = (path: string): string => `https://app.localhost:${postern.https}${path}`;
  const document = (ports: { https: number; health: number }, rules: string, ops = OPS): string => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  app.localhost: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", ${rules} }
  ops.localhost: { to: "http://127.0.0.1:${(app.address() as AddressInfo).port}", ${ops} }
`;
  const OPS = 'allow: ["group:ops"], shadow: { allow: ["user:eva"] }';
  const OLD = 'allow: [signed-in, "token:ci"], shadow: { allow: ["group:ops"], deny: ["user:bob"] }';

  before(async () => {
    app = createServer((_req, res) => res.end('ok'));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    postern = await startPostern({ document: (ports) => document(ports, OLD) });
  });
  after(async () => {
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
  });

  test('shadow: is logged where it would decide otherwise, counted, explained, and not enforced', async () => {
    for (const [name, groups] of [
      ['ada', ['ops']],
      ['bob', ['ops']],
      ['eve', []],
    ] as const) {
      const visitor = await signIn(url(`/${name}`), name, await addUser(postern, name, groups));
      assert.equal((await visitor.send(url(`/${name}`))).status, 200);
    }
    const { stdout: token } = await postern.cli('token', 'create', '--for', 'ci');
    const headers = { authorization: `Bearer ${token.trim()}` };
    assert.equal((await createVisitor().send(url('/ci'), { headers })).status, 200);
    // Each worker writes lines of its own, in its own time.
    for (const who of ['ada', 'bob', 'eve', 'ci']) {
      await postern.waitFor(new RegExp(`"path":"/${who}"[^\\n]*"decision":"allow"`));
    }
    const rows = postern
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.includes('"kind":"request"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((row) => row['host'] === 'app.localhost' && row['decision'] === 'allow');
    const of = (who: string): unknown => {
      const row = rows.find((one) => one['who'] === who);
      return [row?.['status'], row?.['reason'], row?.['shadow'], row?.['shadowRule']];
    };
    assert.deepEqual(of('local:ada'), [200, 'person', undefined, undefined]);
    assert.deepEqual(of('local:bob'), [200, 'person', 'deny', 'local:user:bob']);
    assert.deepEqual(of('local:eve'), [200, 'person', 'deny', '(no rule)']);
    assert.deepEqual(of('token:ci'), [200, 'token', 'deny', '(no rule)']);
    const metrics = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
    assert.match(metrics, /postern_shadow_decisions_total\{decision="deny"\} [3-9]/);
    const explained = await postern.cli('explain', url('/'), '--as', 'bob');
    assert.match(explained.stdout, /Allowed by "signed-in"\nOn trial: Denied by "local:user:bob"/);
  });

  test('who is refused before they come to the app is in the log by the rule, judged on trial and replayed, too', async () => {
    const target = `https://ops.localhost:${postern.https}/panel?tab=1&token=s3cret`;
    const rowOf = async (name: string): Promise<Record<string, unknown>> => {
      const visitor = createVisitor();
      const password = await addUser(postern, name, []);
      const page = await visitor.submit(await visitor.open(target), { name, password }, 'sign-in');
      assert.equal(page.status, 403, page.body);
      const line = new RegExp(`^.*"who":"local:${name}"[^\\n]*"decision":"deny".*$`, 'm');
      await postern.waitFor(line);
      return JSON.parse(line.exec(postern.output())?.[0] ?? '{}') as Record<string, unknown>;
    };
    const place = {
      host: 'auth.localhost',
      path: '/.postern/sign-in',
      wantedHost: 'ops.localhost',
      wantedPath: '/panel?tab=1&token=***',
    };
    const why = { status: 403, route: 'ops.localhost /*', rule: '(no rule)', reason: 'no-rule' };
    assert.partialDeepStrictEqual(await rowOf('mallory'), { ...place, ...why });
    assert.partialDeepStrictEqual(await rowOf('eva'), {
      ...place,
      ...why,
      shadow: 'allow',
      shadowRule: 'local:user:eva',
    });
    const files = ['old.yaml', 'next.yaml', 'access.jsonl'].map((name) => join(postern.dir, `ops-${name}`));
    const [old = '', next = '', log = ''] = files;
    writeFileSync(old, document(postern, OLD));
    writeFileSync(next, document(postern, OLD, 'allow: ["group:ops", "user:mallory"]'));
    writeFileSync(log, postern.output());
    const { stdout } = await postern.cli('policy', 'diff', old, next, '--log', log);
    assert.match(
      stdout,
      /local:mallory +ops\.localhost \/\* +deny \(\(no rule\)\) +allow \(local:user:mallory\) +1 +GET ops\.localhost\/panel/,
    );
    assert.doesNotMatch(stdout, /local:eva|Unclear/);
  });

  test('every row of the log has a reason', async () => {
    await createVisitor().open(url('/'));
    await createVisitor().send(url('/'), { headers: { authorization: 'Bearer x' } });
    await createVisitor()
      .send(`https://nobody.localhost:${postern.https}/`)
      .catch(() => undefined);
    await postern.waitFor(/"reason":"own"/);
    const rows = postern
      .output()
      .split('\n')
      .filter((line) => line.includes('"kind":"request"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.ok(rows.length > 5 && rows.every((row) => typeof row['reason'] === 'string'));
    assert.ok(rows.some((row) => row['reason'] === 'sign-in-needed'));
  });

  test('policy diff replays the log against a new document', async () => {
    const files = {
      old: join(postern.dir, 'old.yaml'),
      next: join(postern.dir, 'next.yaml'),
      log: join(postern.dir, 'access.jsonl'),
    };
    writeFileSync(files.old, document(postern, OLD));
    writeFileSync(files.next, document(postern, 'allow: ["group:ops"], deny: ["user:bob"]'));
    writeFileSync(files.log, postern.output());
    const same = await postern.cli('policy', 'diff', files.old, files.old, '--log', files.log);
    assert.deepEqual([same.code, /^No change for the \d+ requests/.test(same.stdout)], [0, true], same.stderr);
    const { code, stdout, stderr } = await postern.cli('policy', 'diff', files.old, files.next, '--log', files.log);
    assert.equal(code, 1, stderr);
    for (const who of ['local:bob', 'local:eve', 'token:ci']) assert.match(stdout, new RegExp(`${who}.*allow.*deny`));
    assert.doesNotMatch(stdout, /local:ada/);
    const json = await postern.cli('policy', 'diff', files.old, files.next, '--log', files.log, '--json');
    const diff = JSON.parse(json.stdout) as { changes: { who: string }[]; unclear: unknown[] };
    assert.deepEqual(new Set(diff.changes.map(({ who }) => who)), new Set(['local:bob', 'local:eve', 'token:ci']));
    assert.deepEqual(diff.unclear, []);
    // As logrotate leaves them: the last day packed, and two files of one day behind each other.
    const packed = [gzipSync(postern.output()), zstdCompressSync(postern.output())];
    const rotated = packed.map((bytes, at) => {
      const file = join(postern.dir, `access.${at}`);
      writeFileSync(file, bytes);
      return file;
    });
    const logs = rotated.flatMap((file) => ['--log', file]);
    const twice = await postern.cli('policy', 'diff', files.old, files.next, ...logs, '--json');
    const count = (text: string): number =>
      (JSON.parse(text) as { changes: { requests: number }[] }).changes.reduce((sum, one) => sum + one.requests, 0);
    assert.equal(count(twice.stdout), 2 * count(json.stdout), twice.stderr);
    await replaysWhatIsWhole(postern, files, rotated[0] ?? '');
    // What a terminal gets besides stands there as text.
    const whole = postern
      .output()
      .split('\n')
      .filter((one) => one.startsWith('{'))
      .join('\n');
    const cut = join(postern.dir, 'cut.jsonl');
    writeFileSync(cut, `{"kind":"request","who":"lo\n${whole}\n\u001b[2J not a line\n`);
    const partly = await postern.cli('policy', 'diff', files.old, files.old, '--log', cut);
    assert.equal(partly.code, 0, partly.stderr);
    assert.match(partly.stdout, /Damaged: 2 lines were left out; the first is .*cut\.jsonl:1\n/);
    writeFileSync(cut, '203.0.113.9 - - "GET / HTTP/1.1" 200\n');
    const nothing = await postern.cli('policy', 'diff', files.old, files.next, '--log', cut);
    assert.equal(nothing.code, 1, 'what cannot be read proves nothing');
    assert.match(nothing.stderr, /no line of the log can be read, the first is .*cut\.jsonl:1; .*format: json/);
    const front = { kind: 'request', method: 'GET', host: 'app.localhost', path: '/', who: 'ada', decision: 'enter' };
    writeFileSync(cut, `${whole}\n${JSON.stringify(front)}\n`);
    const mixed = await postern.cli('policy', 'diff', files.old, files.old, '--log', cut);
    assert.equal(mixed.code, 1, 'who came in by settings has no rules to compare');
    assert.match(mixed.stderr, /cut\.jsonl:\d+ is a line of "postern forward-auth".*give the log of "postern run"/);
    await refusesOtherPeople(postern, files);
    const missing = await postern.cli('policy', 'diff', files.old, files.next, '--log', '/nowhere');
    assert.match(missing.stderr, /Cannot compare: "\/nowhere" cannot be read/);
  });
});

/** The file that says who is who is named, not the log, and nobody is left out of it without a word. */
async function refusesOtherPeople(
  postern: PosternProcess,
  files: { readonly old: string; readonly next: string; readonly log: string },
): Promise<void> {
  const people = join(postern.dir, 'people.json');
  const bob = { provider: 'local', name: 'bob', groups: ['ops'] };
  const wrong = [{ roles: 'pusher' }, { roles: null }, { groups: [5] }, { groups: 'ops' }, { email: 5 }];
  for (const text of ['not JSON', ...wrong.map((over) => JSON.stringify([bob, { ...bob, ...over }]))]) {
    writeFileSync(people, text);
    const from = ['--log', files.log, '--people', people];
    const { code, stderr } = await postern.cli('policy', 'diff', files.old, files.next, ...from);
    assert.equal(code, 1, text);
    assert.match(stderr, /Cannot compare: ".*people\.json" (?:is not a list such as|cannot be read as JSON)/, text);
  }
}

/** bcrypt, as "htpasswd -B" makes it, of "s3cret-promtail". */
const HASH = '$2a$05$WnISqYUMNkFN6z8o2QglZOaCDtbsdunXCFe/8yDlm85RmjNkM8cvC';

suite('rules on trial that ask for a password', () => {
  let app: Server;
  let postern: PosternProcess;
  before(async () => {
    app = createServer((req, res) => res.end(req.headers.authorization ?? 'none'));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    const to = `to: "http://127.0.0.1:${(app.address() as AddressInfo).port}"`;
    postern = await startPostern({
      document: (ports) => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
services: { promtail: { password: "${HASH}" } }
hosts:
  open.localhost: { tls: local, ${to}, allow: [public], shadow: { allow: ["service:promtail"] } }
  lan.localhost: { tls: local, ${to}, allow: ["ip:127.0.0.1"], shadow: { allow: ["service:promtail"] } }
  machine.localhost: { tls: local, ${to}, allow: ["service:promtail"], shadow: { allow: [public] } }
`,
    });
  });
  after(async () => {
    await postern?.close();
    app?.closeAllConnections();
    app?.close();
  });

  /** Of one request: its status, what the app got, and what the trial says. */
  const trialOf = async (host: string, pair: string | null): Promise<unknown> => {
    const from = postern.output().length;
    const authorization = pair === null ? null : `Basic ${Buffer.from(pair).toString('base64')}`;
    const answer = await createVisitor().send(`https://${host}.localhost:${postern.https}/`, {
      headers: authorization === null ? {} : { authorization },
    });
    const line = new RegExp(`^.*"host":"${host}\\.localhost".*$`, 'm');
    await postern.waitFor(line, from);
    const row = JSON.parse(line.exec(postern.output().slice(from))?.[0] ?? '{}') as Record<string, unknown>;
    const got = answer.status === 200 ? answer.body : '';
    return [answer.status, got === authorization ? 'untouched' : got, row['shadow'] ?? null];
  };

  test('the service is tried by its password, though the rules in force look at none; the app gets what it got before', async () => {
    for (const host of ['open', 'lan']) {
      assert.deepEqual(await trialOf(host, 'promtail:s3cret-promtail'), [200, 'untouched', null], host);
      assert.deepEqual(await trialOf(host, 'promtail:wrong'), [200, 'untouched', 'challenge'], host);
      assert.deepEqual(await trialOf(host, "ada:the app's own"), [200, 'untouched', 'challenge'], host);
      assert.deepEqual(await trialOf(host, null), [200, 'none', 'challenge'], host);
    }
  });

  test('whom a wrong password keeps out would be in by rules that look at none', async () => {
    assert.deepEqual(await trialOf('machine', 'promtail:s3cret-promtail'), [200, 'none', null]);
    assert.deepEqual(await trialOf('machine', 'promtail:wrong'), [401, '', 'allow']);
    assert.deepEqual(await trialOf('machine', null), [401, '', 'allow']);
  });
});

/** A rotation that is still packing. */
async function replaysWhatIsWhole(
  postern: PosternProcess,
  { old, next }: { readonly old: string; readonly next: string },
  log: string,
): Promise<void> {
  const packed = gzipSync(postern.output().repeat(50));
  writeFileSync(log, packed.subarray(0, packed.length - 100));
  const none = await postern.cli('policy', 'diff', old, old, '--log', log);
  assert.equal(none.code, 0, none.stderr);
  assert.match(none.stdout, /^No change for the [1-9]\d* requests of the log/);
  assert.match(
    none.stderr,
    /Not the whole log was replayed: ".*access\.0" ends in the middle .*, after line [1-9]\d*;/,
  );
  const some = await postern.cli('policy', 'diff', old, next, '--log', log, '--json');
  const { cut } = JSON.parse(some.stdout) as { cut: { log: string; afterLine: number }[] };
  assert.deepEqual([some.code, cut.length, cut[0]?.log], [1, 1, log], some.stderr);
  writeFileSync(log, packed.subarray(0, 12));
  const nothing = await postern.cli('policy', 'diff', old, old, '--log', log);
  assert.equal(nothing.code, 1, 'what was not replayed proves nothing');
  assert.match(nothing.stderr, /no whole request is in the log: ".*access\.0" ends in the middle/);
  packed.writeUInt8(packed.readUInt8(packed.length - 6) ^ 0xff, packed.length - 6);
  writeFileSync(log, packed);
  const broken = await postern.cli('policy', 'diff', old, old, '--log', log);
  assert.match(broken.stderr, /"[^"]*access\.0" cannot be read: incorrect data check/);
}
