/**
 * The main job: a real code-server behind Postern, in a real browser. A deep link, a sign-in, a terminal
 * that runs commands. The terminal drops within a second of any change that takes the permission away,
 * another person's keeps running and answers; a stranger gets the 403.
 */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { runOperation } from '../../../src/cli/operation.ts';
import { askControl } from '../../../src/control/control-socket.ts';
import { openBrowser, openContext, signInOn, takePicture } from '../../support/browser.ts';
import { openTerminal, runInTerminal, startCodeServer, watchSockets } from '../../support/code-server.ts';
import type { CodeServer, Sockets } from '../../support/code-server.ts';
import { endsWithinASecond } from '../../support/one-second.ts';
import { skipWithout } from '../../support/peers.ts';
import { addUser, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';

const skip = skipWithout('code-server', 'chromium');

interface Desk {
  readonly name: string;
  readonly page: Page;
  readonly sockets: Sockets;
}

suite('code-server behind Postern', { skip }, () => {
  let code: CodeServer;
  let postern: PosternProcess;
  let browser: Browser;
  const passwords = new Map<string, string>();
  const document = (ports: { https: number; health: number }, rule: string): string => `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  code.localhost:
    to: http://127.0.0.1:${code.port}
    allow: ${rule}
    max_body: unlimited
`;
  const RULE = '["user:alice", "user:olga", "group:developers"]';

  before(async () => {
    code = await startCodeServer();
    postern = await startPostern({ document: (ports) => document(ports, RULE) });
    for (const name of ['alice', 'olga', 'mallory']) passwords.set(name, await addUser(postern, name));
    for (const name of ['dora', 'erin']) passwords.set(name, await addUser(postern, name, ['developers']));
    browser = await openBrowser();
  });

  after(async () => {
    await browser?.close();
    await postern?.close();
    await code?.stop();
  });

  const link = (): string => `https://code.localhost:${postern.https}/?folder=${code.project}`;

  const visit = async (name: string): Promise<Desk> => {
    const page = await (await openContext(browser)).newPage();
    const sockets = watchSockets(page);
    await page.goto(link());
    await page.waitForSelector('input[name="password"]');
    if (name === 'alice') await takePicture(page, 'code-server-sign-in');
    await signInOn(page, name, passwords.get(name) ?? '');
    return { name, page, sockets };
  };

  const file = (name: string): string => join(code.project, name);

  let made = 0;
  /** Of a name that nothing was written to before. */
  const freshFile = (name: string): string => file(`${name}-${made++}.txt`);

  /** A workbench with a terminal that has run a command, and whose output is on the page. */
  const openDesk = async (name: string): Promise<Desk> => {
    const desk = await visit(name);
    await desk.page.waitForURL((url) => url.host === `code.localhost:${postern.https}` && url.search !== '');
    assert.equal(desk.page.url(), link());
    await openTerminal(desk.page);
    const output = freshFile(name);
    assert.equal(await runInTerminal(desk.page, `echo it works | tee ${output}`, output), 'it works\n');
    await until(
      async () => ((await desk.page.locator('.xterm-rows').first().textContent()) ?? '').includes('works'),
      'the terminal shows the output',
    );
    return desk;
  };

  let other: Desk;
  const pulse = (): number => (existsSync(file('pulse.txt')) ? statSync(file('pulse.txt')).size : 0);

  test('a deep link leads through the sign-in to a terminal that runs commands', { timeout: 300_000 }, async () => {
    other = await openDesk('olga');
    // Something that runs on in the terminal of the person whom no change concerns.
    const command = `(while sleep 0.2; do echo . >> ${file('pulse.txt')}; done) &`;
    await runInTerminal(other.page, command, file('pulse.txt'));
  });

  /** When WebSockets of the workbench that were open have ended since then, in milliseconds since the epoch. */
  const endsOf = (name: string, since: number): number[] => {
    const { paths } = other.sockets;
    return postern
      .output()
      .split('\n')
      .filter(
        (line) =>
          line.includes(`"who":"local:${name}"`) && [...paths].some((path) => line.includes(`"path":"${path}?`)),
      )
      .map((line) => JSON.parse(line) as { time: string; durationMs: number; status: number })
      .filter(({ status }) => status === 101 || status === 200)
      .map(({ time, durationMs }) => Date.parse(time) + durationMs)
      .filter((endedAt) => endedAt >= since);
  };

  /** Takes one person's permission away; `restore` gives it back, for another play. */
  interface Change {
    readonly make: () => Promise<unknown>;
    readonly restore?: () => Promise<unknown>;
  }

  /** That person's terminal drops, the other's goes on. */
  const dropsWhen = (t: TestContext, name: string, change: Change): Promise<void> =>
    endsWithinASecond(t, async () => {
      const desk = await openDesk(name);
      if (name === 'alice') await takePicture(desk.page, 'code-server-terminal');
      assert.ok(desk.sockets.open > 0);
      const beganAt = Date.now();
      await change.make();
      const acknowledgedAt = Date.now();
      // When the gateway closed them is in its log; when the browser says so depends on how busy the machine is.
      await until(() => endsOf(name, beganAt).length > 0, 'a WebSocket of the terminal ends');
      await until(() => desk.sockets.lastClosedAt >= beganAt, 'the browser sees its WebSocket close');

      const late = freshFile(`${name}-late`);
      await desk.page.keyboard.type(`echo late > ${late}\n`).catch(() => undefined);
      // The other terminal was not touched: what ran there runs, and it answers.
      const heard = pulse();
      await until(() => pulse() > heard, 'the other terminal goes on');
      const answer = freshFile(`olga-after-${name}`);
      assert.equal(await runInTerminal(other.page, `echo still here > ${answer}`, answer), 'still here\n');
      assert.deepEqual(endsOf('olga', beganAt), []);
      assert.equal(existsSync(late), false, 'nothing is typed into the dropped terminal any more');
      const endedAt = Math.max(...endsOf(name, beganAt));
      const again = await desk.page.goto(link());
      assert.ok(again?.status() !== 200 || desk.page.url().includes('/.postern/sign-in'), 'no way back in');
      await desk.page.context().close();
      await change.restore?.();
      return { acknowledgedAt, endedAt };
    });

  // Through the control socket, as the commands do: their processes take a while to end after the acknowledgement.
  const setGroups = (...groups: readonly string[]): Promise<unknown> =>
    runOperation(postern.dataDir, 'user.groups', { name: 'dora', groups });
  const reloadWith = async (rule: string): Promise<void> => {
    postern.writeConfig(document(postern, rule));
    const answer = (await askControl(postern.dataDir, 'reload', {})) as { readonly ok: boolean };
    assert.ok(answer.ok);
  };

  test('it drops within a second when the session is revoked', { timeout: 400_000 }, (t) =>
    dropsWhen(t, 'alice', { make: () => runOperation(postern.dataDir, 'sessions.revoke', { user: 'alice' }) }),
  );

  test('it drops within a second when the person is disabled', { timeout: 400_000 }, (t) =>
    dropsWhen(t, 'dora', {
      make: () => runOperation(postern.dataDir, 'user.disable', { name: 'dora' }),
      restore: () => runOperation(postern.dataDir, 'user.enable', { name: 'dora' }),
    }),
  );

  test('it drops within a second when the person leaves the group', { timeout: 400_000 }, (t) =>
    dropsWhen(t, 'dora', { make: () => setGroups('guests'), restore: () => setGroups('developers') }),
  );

  test('it drops within a second when the rule is edited and reloaded', { timeout: 400_000 }, (t) =>
    dropsWhen(t, 'erin', {
      make: () => reloadWith('["user:alice", "user:olga"]'),
      restore: () => reloadWith(RULE),
    }),
  );

  test('Chromium carries the terminal over HTTP/2 (RFC 8441)', () => {
    const isSocket = (line: string): boolean =>
      line.includes('"decision":"session-ended"') &&
      [...other.sockets.paths].some((path) => line.includes(`"path":"${path}?`));
    const lines = postern.output().split('\n').filter(isSocket);
    assert.ok(lines.length > 0, 'a closed WebSocket has its line');
    for (const line of lines) assert.match(line, /"version":"2","status":200/);
  });

  test('a stranger gets the 403 page with the account and a request id', { timeout: 300_000 }, async () => {
    const { page } = await visit('mallory');
    await page.waitForSelector('text=mallory');
    await takePicture(page, 'code-server-denied');
    assert.match((await page.textContent('footer')) ?? '', /Request [0-9a-z-]{8,}/);
    const answer = await page.goto(`https://code.localhost:${postern.https}/`);
    assert.notEqual(answer?.status(), 200);
  });
});
