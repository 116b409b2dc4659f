/** Jupyter behind a path: its REST API makes a kernel, and code runs over the kernel's WebSocket with a session. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { WebSocket } from 'ws';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { startProgram, until } from '../../support/programs.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Program } from '../../support/programs.ts';
import type { Visitor } from '../../support/visitor.ts';

const skip = skipWithout('jupyter-server');
const SERVER_NAME: object = { servername: 'lab.localhost' };

suite('Jupyter behind Postern', { skip }, () => {
  let dir = '';
  let jupyter: Program;
  let postern: PosternProcess;
  let visitor: Visitor;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-jupyter-'));
    const [port = 0] = await freePorts(1);
    const flags = [
      '--ServerApp.base_url=/jupyter',
      '--IdentityProvider.token=',
      '--ServerApp.password=',
      '--no-browser',
      '--allow-root',
    ];
    const where = [
      `--ServerApp.port=${port}`,
      '--ServerApp.ip=127.0.0.1',
      `--ServerApp.root_dir=${dir}`,
      '--ServerApp.allow_remote_access=True',
    ];
    jupyter = startProgram('jupyter-server', [...flags, ...where], { HOME: dir });
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  lab.localhost:
    paths:
      /jupyter/*: { to: "http://127.0.0.1:${port}", allow: ["group:lab"], max_body: 100MB }
`,
    });
    const password = await addUser(postern, 'ada', ['lab']);
    await until(
      async () => {
        try {
          return (await fetch(`http://127.0.0.1:${port}/jupyter/api`)).ok;
        } catch {
          return false;
        }
      },
      'Jupyter answers',
      60_000,
    );
    visitor = await signIn(`https://lab.localhost:${postern.https}/jupyter/api`, 'ada', password);
  });
  after(async () => {
    await postern?.close();
    await jupyter?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test('a kernel runs code over its WebSocket', { timeout: 300_000 }, async () => {
    const base = `https://lab.localhost:${postern.https}`;
    const api = await visitor.send(`${base}/jupyter/api/kernelspecs`);
    assert.equal(api.status, 200, api.body);
    // Its pages set the token that its API asks for.
    await visitor.open(`${base}/jupyter/login`);
    const xsrf = visitor.cookies.find((cookie) => cookie.name === '_xsrf')?.value ?? '';
    const origin = { origin: base, 'x-xsrftoken': xsrf, 'content-type': 'application/json' };
    const made = await visitor.send(`${base}/jupyter/api/kernels`, {
      method: 'POST',
      headers: origin,
      body: '{"name":"python3"}',
    });
    assert.equal(made.status, 201, made.body);
    const { id } = JSON.parse(made.body) as { id: string };

    const socket = new WebSocket(`wss://127.0.0.1:${postern.https}/jupyter/api/kernels/${id}/channels`, {
      headers: { cookie: visitor.cookieHeader(`${base}/jupyter/api`), host: `lab.localhost:${postern.https}` },
      origin: base,
      rejectUnauthorized: false,
      ...SERVER_NAME,
    });
    const text = await new Promise<string>((done, fail) => {
      socket.on('error', fail);
      socket.on('open', () => {
        const header = {
          msg_id: randomUUID(),
          username: 'ada',
          session: randomUUID(),
          msg_type: 'execute_request',
          version: '5.3',
          date: new Date().toISOString(),
        };
        const content = {
          code: 'print(6 * 7)',
          silent: false,
          store_history: false,
          user_expressions: {},
          allow_stdin: false,
        };
        socket.send(
          JSON.stringify({ header, parent_header: {}, metadata: {}, content, channel: 'shell', buffers: [] }),
        );
      });
      socket.on('message', (data) => {
        const message = JSON.parse(Buffer.isBuffer(data) ? data.toString('utf8') : '{}') as {
          msg_type?: string;
          content?: { text?: string };
        };
        if (message.msg_type === 'stream') done(message.content?.text ?? '');
      });
    });
    assert.equal(text, '42\n');
    socket.terminate();
    assert.equal(
      (await visitor.send(`${base}/jupyter/api/kernels/${id}`, { method: 'DELETE', headers: origin })).status,
      204,
    );
  });
});

suite('an app that needs its encoded slashes', () => {
  test('gets them byte for byte with encoded_slash: keep; without, the 400 names the option', async () => {
    const seen: string[] = [];
    const app = createServer((req, res) => {
      seen.push(req.url ?? '');
      res.end('ok');
    });
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    const { port } = app.address() as AddressInfo;
    const postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
  localhost:
    tls: off
    paths:
      /registry/*: { to: "http://127.0.0.1:${port}", allow: [public], encoded_slash: keep }
      /*: { to: "http://127.0.0.1:${port}", allow: [public] }
`,
    });
    try {
      const kept = await fetch(`http://localhost:${postern.http}/registry/@scope%2fname?x=%2F`);
      assert.equal(kept.status, 200);
      assert.match(seen[0] ?? '', /^\/registry\/@scope%2[fF]name\?x=%2F$/);
      const refused = await fetch(`http://localhost:${postern.http}/other/@scope%2fname`, {
        headers: { accept: 'application/json' },
      });
      assert.equal(refused.status, 400);
      assert.match(await refused.text(), /encoded_slash/);
      assert.equal(seen.length, 1);
    } finally {
      await postern.close();
      app.closeAllConnections();
      app.close();
    }
  });
});

/** As in docs/recipes/identity.md. */
const HEADER_IDENTITY = `from jupyter_server.auth import IdentityProvider, User

class HeaderIdentity(IdentityProvider):
    def get_user(self, handler):
        name = handler.request.headers.get("Remote-User")
        return User(username=name, name=handler.request.headers.get("Remote-Name") or name) if name else None

c = get_config()
c.ServerApp.identity_provider_class = HeaderIdentity
`;

suite('Jupyter learns who comes from Remote-User', { skip }, () => {
  let dir = '';
  let jupyter: Program;
  let postern: PosternProcess;
  let url = '';

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-jupyter-who-'));
    const [port = 0] = await freePorts(1);
    writeFileSync(join(dir, 'jupyter_server_config.py'), HEADER_IDENTITY);
    const where = [`--ServerApp.port=${port}`, '--ServerApp.ip=127.0.0.1', `--ServerApp.root_dir=${dir}`];
    const flags = [`--config=${dir}/jupyter_server_config.py`, '--no-browser', '--allow-root'];
    jupyter = startProgram('jupyter-server', [...flags, ...where, '--ServerApp.allow_remote_access=True'], {
      HOME: dir,
    });
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  lab.localhost: { to: "http://127.0.0.1:${port}", allow: [signed-in], identity_headers: remote }
`,
    });
    url = `https://lab.localhost:${postern.https}`;
    await until(
      async () =>
        fetch(`http://127.0.0.1:${port}/api`)
          .then((answer) => answer.ok)
          .catch(() => false),
      'Jupyter answers',
    );
  });
  after(async () => {
    await postern?.close();
    await jupyter?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test('two people are two users to it, and neither can say to be the other', async () => {
    for (const name of ['ada', 'bob']) {
      const visitor = await signIn(`${url}/api`, name, await addUser(postern, name));
      const asked = { headers: { 'remote-user': 'root', Remote_User: 'root' } };
      const me = JSON.parse((await visitor.send(`${url}/api/me`, asked)).body) as { identity: { username: string } };
      assert.equal(me.identity.username, name);
    }
  });
});
