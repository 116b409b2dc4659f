/**
 * Postern in front of what Argo CD's server speaks (twin.ts), set up as docs/recipes/argo-cd.md says: people keep its own
 * sign-in behind Postern's rules, and its command line comes with a token of Postern beside that of Argo CD.
 */
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, before, suite, test } from 'node:test';
import { WebSocket } from 'ws';
import { freePorts } from '../../support/free-ports.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { AT_ONCE_MS, until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import { frame, OWN_TOKEN, startArgoTwin } from './twin.ts';
import type { ArgoTwin } from './twin.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Visitor } from '../../support/visitor.ts';

const METHOD = '/application.ApplicationService/List';

interface Called {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

suite('Argo CD behind Postern', () => {
  let argo: ArgoTwin;
  let postern: PosternProcess;
  let ada: Visitor;
  let url = '';
  let token = '';

  before(async () => {
    const [https = 0, health = 0] = await freePorts(2);
    url = `https://argocd.localhost:${https}`;
    argo = await startArgoTwin(() => url);
    postern = await startPostern({
      ports: { https, health },
      document: () => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  argocd.localhost: { to: "http://127.0.0.1:${argo.port}", allow: ["group:ops", "token:ci"], identity_headers: none }
`,
    });
    const password = await addUser(postern, 'ada', ['ops']);
    ada = await signIn(`${url}/applications/app?view=tree&resource=`, 'ada', password);
    token = (await postern.cli('token', 'create', '--for', 'ci')).stdout.trim();
  });
  after(async () => {
    await postern?.close();
    await argo?.close();
  });

  /** As "argocd --grpc-web --header" sends it. */
  const call = (headers: Readonly<Record<string, string>>, message: Buffer): Promise<Called> =>
    new Promise((done, fail) => {
      const options = {
        host: '127.0.0.1',
        port: postern.https,
        servername: 'argocd.localhost',
        path: METHOD,
        method: 'POST',
        headers: {
          host: new URL(url).host,
          'content-type': 'application/grpc-web+proto',
          'x-grpc-web': '1',
          ...headers,
        },
        rejectUnauthorized: false,
      };
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const type = response.headers['content-type'] ?? '';
          done({ status: response.statusCode ?? 0, type, body: Buffer.concat(chunks) });
        });
      });
      sent.on('error', fail);
      sent.end(frame(0, message));
    });
  const credentials = (): Record<string, string> => ({
    token: OWN_TOKEN,
    'postern-authorization': `Bearer ${token}`,
  });

  test('a person signs in at Postern, then by its own sign-in, whose redirects and cookie pass', async () => {
    const before = JSON.parse((await ada.send(`${url}/api/v1/session/userinfo`)).body) as { loggedIn: boolean };
    assert.equal(before.loggedIn, false);
    const page = await ada.open(`${url}/auth/login?return_url=%2Fapplications`);
    assert.equal(page.url, `${url}/applications`);
    const info = JSON.parse((await ada.send(`${url}/api/v1/session/userinfo`)).body) as Record<string, unknown>;
    assert.deepEqual(info, { loggedIn: true, username: 'ada', host: new URL(url).host });
  });

  test('the command line by gRPC-Web: bytes of the message and trailers in the body pass as they are', async () => {
    const message = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256));
    const answer = await call(credentials(), message);
    assert.deepEqual([answer.status, answer.type], [200, 'application/grpc-web+proto']);
    assert.ok(answer.body.equals(Buffer.concat([frame(0, message), frame(0x80, Buffer.from('grpc-status: 0\r\n'))])));
  });

  test("Postern's token alone is nobody to Argo CD, Argo CD's alone does not come in, and neither is sent to a page", async () => {
    const { token: theirs = '', ...ours } = credentials();
    const nobody = await call(ours, Buffer.from('x'));
    assert.ok(nobody.body.equals(frame(0x80, Buffer.from('grpc-status: 16\r\n'))));
    for (const alone of [{ token: theirs }, { authorization: `Bearer ${theirs}` }]) {
      const outside = await call(alone, Buffer.from('x'));
      assert.equal(outside.status, 401);
      assert.doesNotMatch(outside.body.toString(), /grpc-status: 0|<html/);
    }
  });

  test('a script brings Argo CD\'s token in Authorization; one that needs that field for Postern brings it as "token"', async () => {
    const asked = async (headers: Record<string, string>): Promise<string> =>
      (await createVisitor().send(`${url}/api/v1/session/userinfo`, { headers })).body;
    const own = await asked({ authorization: `Bearer ${OWN_TOKEN}`, 'postern-authorization': `Bearer ${token}` });
    assert.match(own, /"loggedIn":true,"username":"ci"/);
    assert.match(await asked({ authorization: `Bearer ${token}`, token: OWN_TOKEN }), /"username":"ci"/);
    assert.match(await asked({ authorization: `Bearer ${token}` }), /"loggedIn":false/);
  });

  test('an event stream comes as it is sent, and ends with the session', async () => {
    const events: string[] = [];
    let isOver = false;
    const options = {
      host: '127.0.0.1',
      port: postern.https,
      servername: 'argocd.localhost',
      path: '/api/v1/stream/applications',
      headers: { host: new URL(url).host, cookie: ada.cookieHeader(`${url}/`), accept: 'text/event-stream' },
      rejectUnauthorized: false,
    };
    const stream = request(options, (response) => {
      response.on('data', (chunk: Buffer) => events.push(chunk.toString()));
      response.on('close', () => (isOver = true));
      response.on('error', () => undefined);
    });
    stream.on('error', () => undefined);
    stream.end();
    await until(() => events.length >= 3, 'three events arrive');

    const terminal = new WebSocket(`wss://127.0.0.1:${postern.https}/terminal?pod=p&container=c`, {
      headers: { host: new URL(url).host, cookie: ada.cookieHeader(`${url}/`) },
      origin: url,
      rejectUnauthorized: false,
      ...({ servername: 'argocd.localhost' } as object),
    });
    const echoed = new Promise((done, fail) => {
      terminal.on('open', () => terminal.send('ls'));
      terminal.on('message', (data) => done((data as Buffer).toString()));
      terminal.on('error', fail);
    });
    assert.equal(await echoed, 'ls');
    let isClosed = false;
    terminal.on('close', () => (isClosed = true));
    assert.equal((await postern.cli('sessions', 'revoke', '--user', 'ada')).code, 0);
    await until(() => isOver && isClosed, 'stream and terminal end', AT_ONCE_MS);
    assert.equal((await createVisitor().send(`${url}/api/v1/session/userinfo`)).status, 401);
  });
});
