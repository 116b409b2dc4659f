/**
 * A thousand people at once, over two workers: all sign in by a provider in the same moment, each becomes
 * nobody but themselves; then the provider pauses until every session is due, and is back. What counts is
 * the provider's own strict count: one refresh a session, no token twice, and nobody is signed out.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTwin } from '../../../src/sign-in/oidc/_twin.ts';
import type { Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { claimsOf, startCrowd, startEchoApp } from '../../support/crowd.ts';
import type { Crowd } from '../../support/crowd.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { untilAll } from '../../support/programs.ts';

const CROWD = Number(process.env['POSTERN_STORM'] ?? 1_000);
/**
 * Longer than a crowd's sign-in and its renewal take, on a busy machine, too: nobody is to be due twice, nor in the
 * moment in which the provider goes away, where a token that was used would be lost with its answer.
 */
const RECHECK_MS = 120_000;

interface SessionLine {
  readonly user: string;
  readonly hosts: readonly string[];
}

suite('a storm of sign-ins and of refreshes', () => {
  let twin: Twin;
  let app: Awaited<ReturnType<typeof startEchoApp>>;
  let postern: PosternProcess;
  let crowd: Crowd;
  let signedInAt = 0;

  before(async () => {
    twin = await startTwin();
    twin.expiresIn = 3_600;
    app = await startEchoApp();
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
workers: 2
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
log: { level: info }
limits: { handshake_timeout: 2m, head_timeout: 2m, keep_alive: 10m } # The machine may be busy otherwise.
providers:
  twin: { type: oidc, issuer: "${twin.issuer}", client_id: "${twin.clientId}", client_secret: "${twin.clientSecret}",
    scopes: [openid, profile, email], groups_claim: groups, recheck: ${RECHECK_MS / 1_000}s }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  app.localhost:
    paths:
      /after/*: { to: "http://127.0.0.1:${app.port}", allow: ["group:/after-the-pause"] }
      /*: { to: "http://127.0.0.1:${app.port}", allow: [signed-in] }
`,
    });
    twin.redirectUri = `https://auth.localhost:${postern.https}/.postern/callback/twin`;
    crowd = await startCrowd(CROWD, `https://app.localhost:${postern.https}`);
    twin.people = new Map(crowd.members.map((member) => [member.subject, claimsOf(member)]));
  });
  after(async () => {
    crowd?.close();
    await postern?.close();
    await twin?.stop();
    app?.close();
  });

  const isFine = (wrong: readonly string[], what: string): void =>
    assert.equal(wrong.length, 0, `${what}: ${wrong.length} are wrong: ${wrong.slice(0, 5).join('; ')}`);
  /** Everybody asks for the path at once, and the app is told who they are. */
  const comeAll = async (path: string, more = ''): Promise<void> => isFine(await crowd.come(path, more), path);

  test(`${CROWD} people sign in at once, and each ends as nobody else`, async () => {
    isFine(await crowd.enter('/deep?of=all'), 'signing in');
    signedInAt = Date.now();
    assert.equal(new Set(await crowd.cookies()).size, CROWD, 'everybody has a cookie of their own');
    const lines = JSON.parse((await postern.cli('sessions', 'list', '--json')).stdout) as SessionLine[];
    assert.deepEqual(
      lines.map(({ user }) => user).sort(),
      crowd.members.map(({ name }) => `twin:${name}`).sort(),
      'one sign-in a person',
    );
    assert.ok(
      lines.every(({ hosts }) => hosts.join() === 'auth.localhost,app.localhost'),
      'with a cookie of the app each',
    );
  });

  test('both workers know everybody by their cookie alone', async () => {
    // Each visitor's kept connection is of one worker; without it the kernel picks again.
    for (let turn = 0; turn < 2; turn++) {
      await crowd.letGo();
      await comeAll('/again');
    }
    const known = await knownSessions(postern);
    assert.ok(known > 1.4 * CROWD, `of ${CROWD} people most are known to both workers by now: ${known}`);
  });

  test('the provider pauses until everybody is due, and nobody is signed out', async () => {
    await twin.stop();
    const early = twin.refreshes();
    const left = signedInAt + RECHECK_MS - Date.now();
    // Used meanwhile: what nobody uses is not renewed.
    await sleep(Math.max(0, left / 2));
    await comeAll('/paused');
    await sleep(Math.max(0, signedInAt + RECHECK_MS + 2_000 - Date.now()));
    assert.match(postern.output(), /people who are signed in go on/);
    await comeAll('/due');
    assert.equal(twin.refreshes(), early, 'nobody was asked about while the provider was away');
  });

  test('the provider is back: one refresh a session, no token twice, and what it says now counts', async () => {
    const before = new Map(twin.refreshesOf);
    twin.people = new Map(
      crowd.members.map((member) => {
        const groups = [...member.groups, '/after-the-pause'];
        return [member.subject, claimsOf({ ...member, groups })];
      }),
    );
    await twin.start();
    const backAt = Date.now();
    const refreshed = (): number[] =>
      crowd.members.map(({ subject }) => (twin.refreshesOf.get(subject) ?? 0) - (before.get(subject) ?? 0));
    const countRefreshed = (): number => refreshed().filter((count) => count > 0).length;
    await untilAll(countRefreshed, CROWD, { what: 'the refresh of everybody' });
    // Whatever would ask once more has the time to.
    await sleep(3_000);
    // One, unless the machine is so busy that some are due again by now.
    const most = 1 + Math.floor((Date.now() - backAt) / RECHECK_MS);
    const odd = refreshed().filter((count) => count < 1 || count > most);
    assert.deepEqual(odd.slice(0, 5), [], `at most ${most} refreshes a session, but for ${odd.length}`);
    assert.equal(twin.reused(), 0, 'no refresh token was used twice');
    for (let turn = 0; turn < 2; turn++) {
      await crowd.letGo();
      await comeAll('/after/pause', ',/after-the-pause');
    }
    assert.doesNotMatch(postern.output(), /signed-out|ended the session|INTERNAL/);
    const lines = JSON.parse((await postern.cli('sessions', 'list', '--json')).stdout) as SessionLine[];
    assert.equal(lines.length, CROWD);
  });
});

/** Over all workers: whoever two of them know counts twice. */
async function knownSessions({ health }: PosternProcess): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${health}/metrics`)).text();
  return Number(/^postern_cached_sessions (\d+)/m.exec(metrics)?.[1]);
}
