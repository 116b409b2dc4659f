/**
 * Apps that people run at home and in labs, for real, set up as docs/recipes/apps.md says: each opens in a browser
 * after sign-in at Postern, does what it is for, and stops when the session ends.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { watchSockets } from '../../support/code-server.ts';
import type { Sockets } from '../../support/code-server.ts';
import { takePicture } from '../../support/browser.ts';
import { skipWithout } from '../../support/peers.ts';
import { until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import { startAppRig } from './rig.ts';
import type { AppRig } from './rig.ts';
import type { Visit } from '../../support/visitor.ts';

const host = (name: string, port: number, more: string): string =>
  `  ${name}.lab.test: { tls: local, to: "http://127.0.0.1:${port}", ${more} }\n`;

suite('Shell In A Box behind Postern', { skip: skipWithout('shellinaboxd', 'chromium') }, () => {
  let rig: AppRig;
  before(async () => {
    rig = await startAppRig({
      program: 'shellinaboxd',
      // As the README of shellinabox says: no TLS, loopback only, a command for everybody who gets this far.
      args: (port) => ['-t', '--localhost-only', '-p', String(port), '-s', '/:nobody:nogroup:/tmp:/bin/sh'],
      document: (port) => `hosts:\n${host('shell', port, 'allow: ["user:ada"]')}`,
      people: ['ada'],
    });
  });
  after(() => rig?.close());

  test('a terminal runs commands, and no more when the session is revoked', async () => {
    const page = await rig.visit('ada', `${rig.urlOf('shell')}/`);
    const text = (): Promise<string> => page.locator('#vt100').innerText();
    const type = async (command: string): Promise<void> => {
      await page.locator('#vt100').click();
      await page.keyboard.type(`${command}\n`, { delay: 5 });
    };
    await until(async () => /\$/.test(await text()), 'a prompt is there');
    await type('echo $((6*7))-done');
    await until(async () => (await text()).includes('42-done'), 'the command has run');
    await takePicture(page, 'app-shellinabox');
    await rig.revoke('ada');
    const refused = page.waitForResponse((response) => response.status() === 401);
    await type('echo $((7*7))-late');
    await refused;
    assert.ok(!(await text()).includes('49-late'));
  });
});

suite('Syncthing behind Postern', { skip: skipWithout('syncthing', 'chromium') }, () => {
  let rig: AppRig;
  before(async () => {
    rig = await startAppRig({
      program: 'syncthing',
      args: (port, dir) => ['--no-browser', '--no-default-folder', `--home=${dir}`, `--gui-address=127.0.0.1:${port}`],
      document: (port) =>
        `hosts:\n${host('sync', port, 'allow: ["user:ada", "token:backup"], host_header: upstream')}${host('plain', port, 'allow: ["user:ada"]')}`,
      people: ['ada'],
    });
  });
  after(() => rig?.close());

  test("on loopback it refuses another name, which host_header: upstream answers; its pages' own token holds", async () => {
    const page = await rig.visit('ada', `${rig.urlOf('sync')}/`);
    const status = await page.waitForResponse((response) => response.url().endsWith('/rest/system/status'));
    assert.equal(status.status(), 200);
    const { myID } = (await status.json()) as { myID: string };
    await until(async () => (await page.locator('body').innerText()).includes(myID.slice(0, 6)), 'the device is shown');
    await takePicture(page, 'app-syncthing');
    const plain = await page.context().newPage();
    const refused = await plain.goto(`${rig.urlOf('plain')}/`);
    assert.equal(refused?.status(), 403);
    assert.match(await plain.locator('body').innerText(), /Host check error/);
  });

  test("a machine comes with a token of Postern beside Syncthing's own key", async () => {
    const key = /<apikey>(.+)<\/apikey>/.exec(readFileSync(join(rig.dir, 'config.xml'), 'utf8'))?.[1] ?? '';
    const token = (await rig.postern.cli('token', 'create', '--for', 'backup')).stdout.trim();
    const ask = (headers: Record<string, string>): Promise<Visit> =>
      createVisitor().send(`${rig.urlOf('sync')}/rest/system/version`, { headers });
    const answer = await ask({ authorization: `Bearer ${token}`, 'x-api-key': key });
    assert.equal(answer.status, 200, answer.body);
    assert.match(answer.body, /"version"/);
    assert.equal((await ask({ 'x-api-key': key })).status, 401);
    assert.equal((await ask({ authorization: `Bearer ${token}` })).status, 403);
  });
});

/** Sends a message to the sidebar twice a second. */
const FLOW = [
  { id: 'f1', type: 'tab', label: 'Flow' },
  { id: 'd1', type: 'debug', z: 'f1', x: 300, y: 80, wires: [], active: true, tosidebar: true, complete: 'payload' },
  {
    id: 'i1',
    type: 'inject',
    z: 'f1',
    x: 100,
    y: 80,
    props: [{ p: 'payload' }],
    payload: 'from-the-flow',
    payloadType: 'str',
    repeat: '0.5',
    once: true,
    wires: [['d1']],
  },
];

suite('Node-RED behind Postern', { skip: skipWithout('node-red', 'chromium') }, () => {
  let rig: AppRig;
  before(async () => {
    rig = await startAppRig({
      program: 'node-red',
      args(port, dir) {
        writeFileSync(join(dir, 'flows.json'), JSON.stringify(FLOW));
        const quiet = ['-D', 'telemetry.enabled=false', '-D', 'telemetry.updateNotification=false'];
        return ['-u', dir, '-p', String(port), '-D', 'uiHost=127.0.0.1', '-D', 'flowFile=flows.json', ...quiet];
      },
      document: (port) => `hosts:\n${host('red', port, 'allow: ["user:ada"]')}`,
      people: ['ada'],
    });
  });
  after(() => rig?.close());

  test('the editor opens, hears of a running flow over its WebSocket, and is cut off with the session', async () => {
    let sockets: Sockets = { open: 0, lastClosedAt: 0, heard: 0, paths: new Set() };
    const page = await rig.visit('ada', `${rig.urlOf('red')}/`, (fresh) => (sockets = watchSockets(fresh)));
    await page.waitForSelector('.red-ui-workspace-chart, #red-ui-workspace-chart', { timeout: 60_000 });
    await until(() => sockets.open > 0, 'a WebSocket is open');
    assert.ok(sockets.paths.has('/comms'));
    const heard = page.locator('.red-ui-debug-msg-payload', { hasText: 'from-the-flow' });
    await heard.first().waitFor({ state: 'attached', timeout: 30_000 });
    await takePicture(page, 'app-node-red');
    const revokedAt = Date.now();
    await rig.revoke('ada');
    await until(() => sockets.lastClosedAt >= revokedAt, 'the WebSocket closes');
    // The editor tries again and again, so its sockets are not counted here: none of them may hear anything.
    const heardBefore = sockets.heard;
    assert.ok(heardBefore > 0);
    await page.waitForTimeout(2_000);
    assert.equal(sockets.heard, heardBefore);
  });
});

const EVENT = `BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//postern//suite//EN\r\nBEGIN:VEVENT\r\nUID:one@lab.test\r\nDTSTAMP:20261126T120000Z\r\nDTSTART:20261201T090000Z\r\nSUMMARY:Tea\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`;
const CALENDAR = `<?xml version="1.0"?><C:mkcalendar xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:set><D:prop><D:displayname>Home</D:displayname></D:prop></D:set></C:mkcalendar>`;
const QUERY = `<?xml version="1.0"?><C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>`;
const PRINCIPAL = `<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:current-user-principal/></D:prop></D:propfind>`;

suite('Radicale behind Postern', { skip: skipWithout('radicale', 'chromium') }, () => {
  let rig: AppRig;
  const tokens = new Map<string, string>();
  before(async () => {
    rig = await startAppRig({
      program: 'radicale',
      args(port, dir) {
        const lines = ['[server]', `hosts = 127.0.0.1:${port}`, '[auth]', 'type = http_x_remote_user'];
        const storage = ['[storage]', `filesystem_folder = ${dir}/collections`];
        writeFileSync(join(dir, 'config'), `${[...lines, ...storage].join('\n')}\n`);
        return ['--config', join(dir, 'config')];
      },
      document: (port) => `maps: { dav: { "token:ada-phone": ada, "token:bob-phone": bob } }
hosts:
${host('dav', port, 'allow: ["token:ada-phone", "token:bob-phone"], identity_headers: none, add_headers: { X-Remote-User: "{map.dav}" }')}${host('cal', port, 'allow: [signed-in], identity_headers: { user: X-Remote-User }')}`,
      people: ['ada'],
    });
    for (const name of ['ada', 'bob'])
      tokens.set(name, (await rig.postern.cli('token', 'create', '--for', `${name}-phone`)).stdout.trim());
  });
  after(() => rig?.close());

  /** As a phone does: the account's name and a token as its password. */
  const dav = (
    name: string,
    line: string,
    { body = '', headers = {} }: { body?: string; headers?: Record<string, string> } = {},
  ): Promise<Visit> => {
    const [method = '', path = ''] = line.split(' ');
    const authorization = `Basic ${Buffer.from(`${name}:${tokens.get(name) ?? 'wrong'}`).toString('base64')}`;
    const fields = { authorization, 'content-type': 'application/xml', depth: '1', ...headers };
    return createVisitor().send(rig.urlOf('dav') + path, { method, headers: fields, body });
  };

  test('a phone makes a calendar, writes an event and finds it, under the name that its token stands for', async () => {
    const principal = await dav('ada', 'PROPFIND /', { body: PRINCIPAL });
    assert.equal(principal.status, 207, principal.body);
    assert.match(principal.body, /<href>\/ada\/<\/href>/);
    assert.equal((await dav('ada', 'MKCALENDAR /ada/home/', { body: CALENDAR })).status, 201);
    const put = await dav('ada', 'PUT /ada/home/one.ics', {
      body: EVENT,
      headers: { 'content-type': 'text/calendar' },
    });
    assert.equal(put.status, 201, put.body);
    const found = await dav('ada', 'REPORT /ada/home/', { body: QUERY });
    assert.equal(found.status, 207, found.body);
    assert.match(found.body, /SUMMARY:Tea/);
  });

  test("another's token, a wrong password and a name in a field of one's own open nothing of ada's", async () => {
    const claim = { 'x-remote-user': 'ada', X_Remote_User: 'ada', 'remote-user': 'ada' };
    const other = await dav('bob', 'PROPFIND /ada/', { body: PRINCIPAL, headers: claim });
    assert.equal(other.status, 403);
    const nobody = await dav('eve', 'PROPFIND /ada/', { body: PRINCIPAL, headers: claim });
    assert.equal(nobody.status, 401);
    assert.match(String(nobody.headers['www-authenticate']), /Basic realm=/);
  });

  test('its page in a browser shows the calendars of who signed in', async () => {
    const page = await rig.visit('ada', `${rig.urlOf('cal')}/.web/`);
    await page.fill('#loginscene input[type="text"], #loginscene input[name="user"]', 'ada');
    await page.click('#loginscene button[type="submit"]');
    await page.waitForSelector('#collectionsscene:not(.hidden)');
    await until(
      async () => (await page.locator('#collectionsscene').innerText()).includes('Home'),
      'its calendar is shown',
    );
    await takePicture(page, 'app-radicale');
  });
});
