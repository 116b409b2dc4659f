/**
 * The same with a real Keycloak, by as many people as it bears on a small machine: they sign in at once, each
 * by its own form; then Keycloak stands still (SIGSTOP: it accepts connections and answers nothing), people
 * come due and go on, and when it runs again everybody is asked about once and nobody is signed out.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENT_SECRET, startKeycloak } from '../../support/keycloak.ts';
import type { Keycloak } from '../../support/keycloak.ts';
import { membersOf, startEchoApp } from '../../support/crowd.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until, untilAll } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visitor } from '../../support/visitor.ts';

const CROWD = Number(process.env['POSTERN_KEYCLOAK_STORM'] ?? 40);
/** The least that `recheck` can be. */
const RECHECK_MS = 10_000;

interface Person {
  readonly name: string;
  readonly visitor: Visitor;
}

interface ProviderEvent {
  readonly type: string;
  readonly sessionId?: string;
  readonly time: number;
}

suite('a storm on a real Keycloak', { skip: skipWithout('kc') }, () => {
  let app: Awaited<ReturnType<typeof startEchoApp>>;
  let postern: PosternProcess;
  let keycloak: Keycloak;
  const crowd: readonly Person[] = membersOf(CROWD).map(({ name }) => {
    return { name, visitor: createVisitor({ keepAlive: true }) };
  });
  const url = (path: string): string => `https://app.localhost:${postern.https}${path}`;

  before(async () => {
    app = await startEchoApp();
    const [kcPort = 0] = await freePorts(1);
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
workers: 2
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
limits: { handshake_timeout: 2m, head_timeout: 2m, keep_alive: 10m } # The machine may be busy otherwise.
providers:
  keycloak: { type: keycloak, issuer: "http://localhost:${kcPort}/realms/main", client_id: postern, client_secret: "${CLIENT_SECRET}", recheck: 10s }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  app.localhost:
    paths:
      /ops/*: { to: "http://127.0.0.1:${app.port}", allow: ["group:/ops"] }
      /*: { to: "http://127.0.0.1:${app.port}", allow: [signed-in] }
`,
    });
    const signInUrl = `https://auth.localhost:${postern.https}`;
    keycloak = await startKeycloak({ signInUrl, backChannelUrl: signInUrl, port: kcPort });
    await keycloak.admin('PUT', '', {
      eventsEnabled: true,
      eventsExpiration: 3_600,
      enabledEventTypes: ['REFRESH_TOKEN', 'REFRESH_TOKEN_ERROR'],
    });
    for (const { name } of crowd)
      await keycloak.admin('POST', '/users', {
        username: name,
        enabled: true,
        email: `${name}@example.com`,
        emailVerified: true,
        firstName: 'The',
        lastName: name,
        credentials: [{ type: 'password', value: `pw-${name}`, temporary: false }],
      });
    await until(async () => (await crowd[0]?.visitor.open(url('/')))?.status === 200, 'discovery');
  });
  after(async () => {
    for (const { visitor } of crowd) visitor.close();
    await postern?.close();
    await keycloak?.close();
    app?.close();
  });

  const signIn = async ({ name, visitor }: Person): Promise<string> => {
    const form = await visitor.open(url(`/of/${name}`));
    const page = await visitor.submit(form, { username: name, password: `pw-${name}` });
    return `${page.status} ${page.body.slice(0, 200)}`;
  };
  const comeAll = async (path: string, groups: string): Promise<void> => {
    const answers = await Promise.all(crowd.map(async ({ visitor }) => visitor.send(url(path))));
    assert.deepEqual(
      answers.map(({ status, body }) => `${status} ${body.slice(0, 200)}`),
      crowd.map(({ name }) => `200 ${path} for ${name} The ${name} ${groups}`),
    );
  };
  /** Successful refreshes by session since then. */
  const refreshes = async (since: number): Promise<ReadonlyMap<string, number>> => {
    const events = (await keycloak.admin('GET', '/events?type=REFRESH_TOKEN&max=5000')) as readonly ProviderEvent[];
    const bySession = new Map<string, number>();
    for (const { sessionId = '', time } of events)
      if (time >= since) bySession.set(sessionId, (bySession.get(sessionId) ?? 0) + 1);
    return bySession;
  };

  test(`${CROWD} people sign in at once, and each ends as nobody else`, async () => {
    const pages = await Promise.all(crowd.map((member) => signIn(member)));
    assert.deepEqual(
      pages,
      crowd.map(({ name }) => `200 /of/${name} for ${name} The ${name} undefined`),
    );
  });

  test('Keycloak stands still until everybody is due, is back, and says what changed, once a session', async () => {
    const pauseMs = 2 * RECHECK_MS;
    keycloak.pause();
    await sleep(pauseMs / 2);
    await comeAll('/paused', 'undefined');
    await sleep(pauseMs);
    await comeAll('/due', 'undefined');
    const back = Date.now();
    keycloak.resume();
    for (const { name } of crowd) await keycloak.addToGroup(name, 'ops');
    const isIn = async ({ visitor }: Person): Promise<boolean> => (await visitor.send(url('/ops/'))).status === 200;
    const countIn = async (): Promise<number> => (await Promise.all(crowd.map(isIn))).filter(Boolean).length;
    await untilAll(countIn, CROWD, { what: 'the new group of everybody', mostIdleMs: 120_000 });
    await comeAll('/ops/all', '/ops');
    const counts = [...(await refreshes(back)).values()];
    assert.ok(counts.length >= CROWD, `${counts.length} sessions were asked about`);
    // Those that were asked in the moment of the stop, and a second round of the least that recheck can be.
    const seconds = (Date.now() - back) / 1_000;
    const failed = (await keycloak.admin('GET', '/events?type=REFRESH_TOKEN_ERROR&max=100')) as readonly unknown[];
    assert.deepEqual(failed, [], 'no token was refused');
    const most = Math.ceil(seconds / (RECHECK_MS / 1_000)) + 1;
    assert.ok(Math.max(...counts) <= most, `at most ${most} times in ${seconds} s: ${Math.max(...counts)}`);
    const lines = JSON.parse((await postern.cli('sessions', 'list', '--json')).stdout) as readonly unknown[];
    assert.equal(lines.length, CROWD, 'nobody was signed out');
  });
});
