/** A refresh token that is on its way when Postern is asked to end: its answer has the next one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTwin } from '../../../src/sign-in/oidc/_twin.ts';
import { startGreetingApp } from '../../support/greeting-app.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { createVisitor, nextOf } from '../../support/visitor.ts';
import type { Visit } from '../../support/visitor.ts';

const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

test('whoever is asked about when Postern is restarted is still signed in: the next refresh token is kept', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'refresh-'));
  const [app, twin] = [await startGreetingApp(), await startTwin()];
  const held: (() => void)[] = [];
  /** Hands on to the provider at once, and its answers to refresh tokens when it is told to. */
  const slow = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: req.headers.authorization ?? '',
      };
      void fetch(`${twin.issuer}/token`, { method: 'POST', body, headers }).then(async (answer) => {
        const text = await answer.text();
        const send = (): void => void res.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
        if (body.includes('grant_type=refresh_token')) held.push(send);
        else send();
      });
    });
  });
  await new Promise<void>((done) => {
    slow.listen(0, '127.0.0.1', done);
  });
  const token = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/token`;
  twin.describe = (metadata) => ({ ...metadata, token_endpoint: token });
  const start = (ports?: { https: number; health: number }): Promise<PosternProcess> =>
    startPostern({
      keepDir: dir,
      ...(ports === undefined ? {} : { ports }),
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers:
  twin: { type: oidc, issuer: "${twin.issuer}", client_id: "${twin.clientId}", client_secret: "${twin.clientSecret}", recheck: 10s }
sign_in: { url: "https://auth.localhost:${https}", provider: twin }
hosts:
  app.localhost: { to: "http://127.0.0.1:${app.port}", allow: [signed-in] }
`,
    });
  let postern = await start();
  t.after(async () => {
    await postern.close();
    await twin.stop();
    slow.closeAllConnections();
    slow.close();
    app.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const visitor = createVisitor();
  const home = `https://app.localhost:${postern.https}/`;
  const go = (address: string): Promise<Visit> => visitor.send(address, { headers: NAVIGATION });
  let page = await go(home);
  for (let to = nextOf(page); to !== null && to !== undefined; to = nextOf(page)) {
    const next = new URL(to, page.url).href;
    page = await go(next.startsWith(twin.issuer) ? twin.visit(next) : next);
  }
  assert.equal(page.status, 200, page.body);
  const use = setInterval(() => void go(home).catch(() => undefined), 1_000);
  t.after(() => clearInterval(use));
  await until(() => held.length > 0, 'the person is asked about', 60_000);
  const { https, health } = postern;
  const closing = postern.close('SIGTERM');
  await sleep(500);
  for (const send of held) send();
  held.length = 0;
  await closing;
  postern = await start({ https, health });
  await until(
    () => {
      for (const send of held.splice(0)) send();
      return twin.refreshes() > 1 || twin.reused() > 0;
    },
    'the person is asked about again',
    60_000,
  );
  await sleep(500);
  assert.equal(twin.reused(), 0);
  assert.equal((await go(home)).status, 200);
});
