/**
 * Access tokens of a provider, through the whole gateway: by rules like people, consumed before the app,
 * passed on where they are somebody else's, ended with the document; and floods of tokens that are none.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { startTwin } from '../../../src/sign-in/oidc/_twin.ts';
import type { Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { createTimeLimit } from '../../support/time-limit.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { Visit } from '../../support/visitor.ts';

const FLOOD = Number(process.env['POSTERN_FUZZ'] ?? 10_000);
const BATCH = 200;

suite('access tokens of a provider', () => {
  let twin: Twin;
  let app: Server;
  let postern: PosternProcess;
  const document = (ports: { https: number; http: number; health: number }, bearer: string): string => {
    const to = `to: "http://127.0.0.1:${(app.address() as AddressInfo).port}"`;
    return `version: 1
listen: { http: { address: "127.0.0.1:${ports.http}", tls: off }, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers:
  ci: { type: oidc, issuer: "${twin.issuer}", client_id: x, client_secret: y, roles_claim: roles${bearer} }
sign_in: { url: "https://auth.localhost:${ports.https}" }
session: { insecure_http: true }
hosts:
  app.localhost:
    paths:
      /push/*: { ${to}, allow: ["role:pusher"] }
      /public/*: { ${to}, allow: [public] }
      /*: { ${to}, allow: [signed-in] }
  plain.localhost: { ${to}, allow: ["role:pusher", "token:ci"], tls: off }
`;
  };
  const BEARER = ', bearer: { audience: postern, azp: [runner] }';

  before(async () => {
    twin = await startTwin();
    app = createServer((req, res) => res.end(JSON.stringify(req.headers)));
    await new Promise<void>((done) => {
      app.listen(0, '127.0.0.1', done);
    });
    postern = await startPostern({ document: (ports) => document(ports, BEARER) });
  });
  after(async () => {
    await postern?.close();
    await twin?.stop();
    app?.closeAllConnections();
    app?.close();
  });

  const token = (over: Record<string, unknown> = {}): string => {
    const exp = Math.floor(Date.now() / 1_000) + 300;
    const claims = { iss: twin.issuer, aud: 'postern', azp: 'runner', sub: 's-1', preferred_username: 'runner-1', exp };
    return twin.sign({ ...claims, roles: ['pusher'], ...over });
  };
  const ask = (path: string, bearer: string, over: Record<string, string> = {}): Promise<Visit> =>
    createVisitor().send(`https://app.localhost:${postern.https}${path}`, {
      headers: { authorization: `Bearer ${bearer}`, ...over },
    });

  test('roles of the token decide; the app gets who it is, and not the token', async () => {
    // The keys are asked for at the first token, and so slow may a busy machine be that they come behind its answer.
    let right = await ask('/push/', token());
    await until(async () => right.status !== 503 || (right = await ask('/push/', token())).status !== 503, 'keys come');
    assert.equal(right.status, 200, right.body);
    const seen = JSON.parse(right.body) as Record<string, string>;
    assert.deepEqual([seen['x-forwarded-user'], seen['authorization']], ['runner-1', undefined]);
    assert.equal((await ask('/push/', token({ roles: ['reader'] }))).status, 403);
    assert.equal((await ask('/', token({ roles: [] }))).status, 200);
    const wrong = await ask('/push/', token({ azp: 'web' }));
    assert.equal(wrong.status, 401);
    assert.match(String(wrong.headers['www-authenticate']), /Bearer realm="postern", error="invalid_token"/);
    assert.doesNotMatch(wrong.body, /azp/, 'why is for the log');
    await postern.waitFor(/"provider":"ci","reason":"\\"azp\\" is none/);
    const none = await createVisitor().send(`https://app.localhost:${postern.https}/push/`);
    assert.match(String(none.headers['www-authenticate']), /Bearer realm="postern"/);
  });

  test("a token for another audience is the app's: it passes untouched where the rules let in, and lets nobody in", async () => {
    const foreign = token({ aud: 'argocd' });
    const open = JSON.parse((await ask('/public/', foreign)).body) as Record<string, string>;
    assert.equal(open['authorization'], `Bearer ${foreign}`);
    assert.equal((await ask('/push/', foreign)).status, 401);
    const own = token();
    const used = JSON.parse((await ask('/public/', own)).body) as Record<string, string>;
    assert.deepEqual([used['authorization'], used['x-forwarded-user']], [undefined, 'runner-1']);
    const both = await ask('/push/', 'glsa_x', { 'postern-authorization': `Bearer ${own}` });
    assert.equal((JSON.parse(both.body) as Record<string, string>)['authorization'], 'Bearer glsa_x');
  });

  test('no token is in the log', async () => {
    const own = token();
    await ask(`/?access_token=${own}`, own);
    await postern.waitFor('access_token=***');
    assert.doesNotMatch(postern.output(), /eyJ[A-Za-z0-9_-]{20,}\./);
  });

  test(
    `${FLOOD} requests with tokens that are none: no 2xx, no 5xx, and the gateway lives`,
    { timeout: 280_000 },
    async () => {
      const made = await postern.cli('token', 'create', '--for', 'ci');
      const goods = [token(), made.stdout.trim()];
      const bits = goods.flatMap((good) => [good, good.slice(0, 40), good.slice(40), good.slice(0, -1)]);
      let state = 20_261_126;
      const random = (below: number): number => {
        state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
        return Math.floor((state / 0x7fffffff) * below) % below;
      };
      const junk = ['.', 'eyJ', '..', 'AAAA', '=', '%00', ',', ' ', '-', '_', 'eyJhbGciOiJub25lIn0', 'postern_', 'e30'];
      const text = (): string => {
        let made = '';
        for (let count = 1 + random(5); count > 0; count--) {
          const from = random(2) === 0 ? bits : junk;
          const piece = from[random(from.length)] ?? '';
          made += random(4) === 0 ? piece.split('').toReversed().join('') : piece;
        }
        return goods.includes(made.trim()) ? 'x' : made;
      };
      const schemes = ['Bearer ', 'bearer ', 'Basic ', 'Token ', '', 'Bearer  '];
      const socket = connect(postern.http, '127.0.0.1');
      let bytes = '';
      const statuses: number[] = [];
      let wake = (): void => undefined;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.toString('latin1');
        let end = 0;
        for (const head of bytes.matchAll(/HTTP\/1\.1 (\d{3})/g)) {
          statuses.push(Number(head[1]));
          end = head.index + head[0].length;
        }
        // A status line may be cut, and a body that comes in two pieces is no second answer.
        bytes = bytes.slice(Math.max(end, bytes.length - 'HTTP/1.1 20'.length));
        wake();
      });
      socket.on('close', () => wake());
      for (let sent = 0; sent < FLOOD; sent += BATCH) {
        let batch = '';
        for (let n = 0; n < BATCH; n++) {
          const scheme = schemes[random(schemes.length)] ?? '';
          const value = scheme === 'Basic ' ? Buffer.from(`u:${text()}`).toString('base64') : text();
          const field = random(5) === 0 ? 'Postern-Authorization' : 'Authorization';
          batch += `GET /${sent + n} HTTP/1.1\r\nHost: plain.localhost\r\nAccept: text/plain\r\n${field}: ${scheme}${value}\r\n\r\n`;
        }
        socket.write(batch);
        while (statuses.length < sent + BATCH && !socket.destroyed) {
          await new Promise<void>((done) => {
            wake = done;
          });
        }
        assert.ok(!socket.destroyed, `closed after ${statuses.length} answers`);
      }
      socket.destroy();
      assert.equal(statuses.length, Math.ceil(FLOOD / BATCH) * BATCH);
      const seen = new Set(statuses);
      assert.deepEqual([...seen], [401]);
      assert.doesNotMatch(postern.output(), /"code":"INTERNAL"/);
      assert.equal((await ask('/push/', token())).status, 200);
    },
  );

  test('a token ends with the key that signed it, also where workers know it, once the provider is seen to have another', async () => {
    const known = token({ sub: 's-known' });
    // More than there are workers: whoever knows it believes it without asking.
    for (let times = 0; times < 8; times++) assert.equal((await ask('/push/', known)).status, 200);
    twin.rotateKeys();
    // Keys are asked for once a second at most, because of one that nobody knows; what was refused a moment ago is not read.
    let fresh = 0;
    for (const isOver = createTimeLimit(60_000); fresh !== 200 && !isOver();) {
      fresh = (await ask('/push/', token({ sub: 's-fresh', jti: String(Date.now()) }))).status;
      if (fresh !== 200) await new Promise((done) => setTimeout(done, 300));
    }
    assert.equal(fresh, 200);
    for (let times = 0; times < 8; times++) {
      const answer = await ask('/push/', known);
      assert.equal(answer.status, 401, `the key is gone, asked ${times + 1} times`);
    }
    assert.equal((await ask('/push/', token())).status, 200);
  });

  test('a document that takes the tokens of another client refuses those of this one at once, however busy it is', async () => {
    const own = token();
    const visitor = createVisitor();
    const headers = { authorization: `Bearer ${own}` };
    const push = (): Promise<Visit> => visitor.send(`https://app.localhost:${postern.https}/push/`, { headers });
    assert.equal((await push()).status, 200);
    postern.writeConfig(document(postern, ', bearer: { audience: postern, azp: [another] }'));
    const done = new AbortController();
    const busy = (async () => {
      while (!done.signal.aborted) await push();
    })();
    assert.equal((await postern.cli('reload')).code, 0);
    done.abort();
    await busy;
    for (let turn = 0; turn < 4; turn++) assert.equal((await ask('/push/', own)).status, 401);
    assert.equal((await push()).status, 401);
    postern.writeConfig(document(postern, BEARER));
    assert.equal((await postern.cli('reload')).code, 0);
  });

  test('a document that takes the tokens no more refuses them at once', async () => {
    const own = token();
    assert.equal((await ask('/push/', own)).status, 200);
    postern.writeConfig(document(postern, ''));
    assert.equal((await postern.cli('reload')).code, 0);
    assert.equal((await ask('/push/', own)).status, 401);
    const open = JSON.parse((await ask('/public/', own)).body) as Record<string, string>;
    assert.equal(open['authorization'], `Bearer ${own}`, "now it is the app's");
  });
});
