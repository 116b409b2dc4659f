/**
 * The re-check of GitHub's memberships in a running gateway: while GitHub holds its answer, says that the limit is used up or is
 * down, requests of that very session are answered as ever; a token that was taken back ends it.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { GithubTwin } from '../../../src/sign-in/github/_twin.ts';
import { startPostern, type PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { startRecordingApp, type RecordingApp } from '../../support/recording-app.ts';
import { createVisitor, nextOf, type Visitor } from '../../support/visitor.ts';

suite('membership is looked at again behind the back of requests', () => {
  let app: RecordingApp;
  let postern: PosternProcess;
  const twin = new GithubTwin();
  const alice = { id: 1, login: 'alice', organisations: ['acme'] };

  before(async () => {
    await twin.start();
    app = await startRecordingApp();
    postern = await startPostern({
      document: (ports) => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
workers: 1
providers:
  github: { type: github, url: "${twin.url}", client_id: ${twin.clientId}, client_secret: ${twin.clientSecret}, recheck: 10s }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  app.localhost: { to: "http://127.0.0.1:${app.port}", allow: ["org:acme"] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
    await twin.stop();
  });

  const enter = async (visitor: Visitor): Promise<void> => {
    twin.account = alice;
    let page = await visitor.send(`https://app.localhost:${postern.https}/`, { headers: { accept: 'text/html' } });
    let next = nextOf(page);
    while (next !== null && !next.startsWith(twin.url)) {
      page = await visitor.send(new URL(next, page.url).href, { headers: { accept: 'text/html' } });
      next = nextOf(page);
    }
    assert.ok(next !== null, `no way to GitHub: ${page.status} ${page.body}`);
    assert.equal((await visitor.open(twin.visit(next))).status, 200);
  };

  const statusFor = async (visitor: Visitor): Promise<number> =>
    (await visitor.send(`https://app.localhost:${postern.https}/`, { headers: { accept: 'application/json' } })).status;

  const stayIn = async (visitor: Visitor): Promise<void> => {
    for (let n = 0; n < 10; n++) assert.equal(await statusFor(visitor), 200);
  };

  test('held for ever, limited, broken: requests are answered meanwhile; then what is true counts again', async () => {
    const visitor = createVisitor();
    await enter(visitor);
    const questions = (): number => twin.requests.filter((one) => one.endsWith('/user')).length;
    const askedAgain = async (): Promise<void> => {
      const before = questions();
      await until(
        async () => {
          assert.equal(await statusFor(visitor), 200);
          return questions() > before;
        },
        'a re-check',
        120_000,
      );
    };
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    twin.hold = () => released;
    await askedAgain();
    await stayIn(visitor);
    // Ours ends the wait, and asks again later: held once more, and again in vain.
    await askedAgain();
    await stayIn(visitor);
    await postern.waitFor(/people who are signed in go on/);
    twin.hold = () => Promise.resolve();
    release();
    twin.limitedUntil = Math.floor(Date.now() / 1_000) + 2;
    await askedAgain();
    await stayIn(visitor);
    twin.limitedUntil = null;
    await askedAgain();
    await stayIn(visitor);
    alice.organisations = [];
    await until(async () => (await statusFor(visitor)) === 403, 'she is out of the organisation', 120_000);
    alice.organisations = ['acme'];
    await until(async () => (await statusFor(visitor)) === 200, 'she is in it again', 120_000);
    twin.revokeTokens();
    await until(async () => (await statusFor(visitor)) === 401, 'the token is gone, and the session with it', 120_000);
  });
});
