/** Wildcards by DNS-01 against real pebble: records come and go as a set, also after kill -9. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { test } from 'node:test';
import type { AddressInfo } from 'node:net';
import { skipWithout } from '../../support/peers.ts';
import { until } from '../../support/programs.ts';
import { openAcmeRig, untilTrusted, visit } from './rig.ts';
import type { Pebble } from '../../support/pebble.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const TOKEN = 'a token for the hook';
const FAULTS = { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_NOSLEEP: '0', PEBBLE_VA_SLEEPTIME: '2' };

interface Hook {
  readonly url: string;
  /** What stands in DNS now. */
  readonly records: ReadonlyMap<string, ReadonlySet<string>>;
  /** Most values that one name had at once. */
  readonly most: () => number;
  pebble: Pebble | null;
  readonly close: () => void;
}

/** The webhook of a document's `dns:`, which keeps its records at pebble-challtestsrv. */
async function openHook(): Promise<Hook> {
  const records = new Map<string, Set<string>>();
  let most = 0;
  let last: Promise<void> = Promise.resolve();
  // pebble-challtestsrv cannot remove one value alone, and a name that is empty for a moment would fail the others.
  const tell = async (action: string, name: string, value: string): Promise<void> => {
    if (action === 'set') await hook.pebble?.dns('set-txt', { host: `${name}.`, value });
    else if (!records.has(name)) await hook.pebble?.dns('clear-txt', { host: `${name}.` });
  };
  const server: Server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      if (req.headers.authorization !== `Bearer ${TOKEN}`) {
        res.writeHead(401).end();
        return;
      }
      const { action, name, value } = JSON.parse(body) as { action: string; name: string; value: string };
      const values = records.get(name) ?? new Set();
      if (action === 'set') values.add(value);
      else values.delete(value);
      records.set(name, values);
      if (values.size === 0) records.delete(name);
      most = Math.max(most, values.size);
      last = last.then(() => tell(action, name, value));
      void last.then(() => res.writeHead(204).end());
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const hook: Hook = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/txt`,
    records,
    most: () => most,
    pebble: null,
    close: () => void server.close(),
  };
  return hook;
}

const dnsSection = (hook: Hook): string =>
  `dns: { hook: { type: webhook, url: "${hook.url}", token: "${TOKEN}", propagation_delay: 1ms } }`;

test('wildcards are ordered by dns-01, cover their hosts, and leave no record behind', { skip }, async () => {
  const hook = await openHook();
  const hosts = `  "*.wild.example.com": { respond: { status: 200, body: wild }, allow: [public] }
  a.wild.example.com: { respond: { status: 200, body: exact }, allow: [public] }
  both.example.com: { respond: 200, allow: [public] }`;
  const acme = ', certificates: [[both.example.com, "*.both.example.com"]]';
  const rig = await openAcmeRig({
    hosts,
    acme,
    more: dnsSection(hook),
    pebble: { env: FAULTS },
    beforeStart: (pebble) => (hook.pebble = pebble),
  });
  try {
    const roots = await rig.pebble.issuerPem();
    assert.match((await untilTrusted(rig.https, 'x.wild.example.com', roots)).body, /wild$/);
    const wild = await untilTrusted(rig.https, 'x.wild.example.com', roots);
    const exact = await untilTrusted(rig.https, 'a.wild.example.com', roots);
    assert.equal(exact.serial, wild.serial, 'the wildcard serves the host that it covers');
    await untilTrusted(rig.https, 'both.example.com', roots);
    assert.equal(rig.pebble.issued(), 2);
    assert.equal(hook.most(), 2, 'both values of a name stood side by side');
    await until(() => hook.records.size === 0, 'every record is removed');
    const list = await rig.postern.cli('cert', 'list');
    assert.match(list.stdout, /\*\.wild\.example\.com +acme +in use/);
    assert.ok(!rig.postern.output().includes(TOKEN));
  } catch (error) {
    console.error(rig.postern.output());
    throw error;
  } finally {
    await rig.close();
    hook.close();
  }
});

test('a token that was wrong is tried again with the reload that brings the right one', { skip }, async () => {
  const hook = await openHook();
  const section = dnsSection(hook);
  const rig = await openAcmeRig({
    hosts: '  "*.wild.example.com": { respond: 200, allow: [public] }',
    more: section.replace(TOKEN, 'of last year'),
    pebble: { env: FAULTS },
    beforeStart: (pebble) => (hook.pebble = pebble),
  });
  try {
    await rig.postern.waitFor(/"code":"ACME_FAILED"[^\n]*webhook[^\n]*/i);
    // By now it would be minutes until the next try.
    for (let tries = 0; tries < 3; tries += 1)
      assert.equal((await rig.postern.cli('cert', 'renew', '*.wild.example.com')).code, 1);
    rig.postern.writeConfig(rig.document.replace('of last year', TOKEN));
    assert.equal((await rig.postern.cli('reload')).code, 0);
    await untilTrusted(rig.https, 'x.wild.example.com', await rig.pebble.issuerPem());
    assert.equal(rig.pebble.issued(), 1);
    assert.ok(!rig.postern.output().includes(TOKEN));
  } catch (error) {
    console.error(rig.postern.output());
    throw error;
  } finally {
    await rig.close();
    hook.close();
  }
});

test('kill -9 leaves no TXT record for ever, and no second certificate', { skip }, async () => {
  const hook = await openHook();
  const names = Array.from({ length: 12 }, (_, at) => `*.k${at}.example.com`);
  const hosts = (count: number): string =>
    names
      .slice(0, count)
      .map((name) => `  "${name}": { respond: 200, allow: [public] }`)
      .join('\n');
  const rig = await openAcmeRig({
    hosts: hosts(2),
    more: dnsSection(hook),
    pebble: { env: FAULTS, retryAfter: { authz: 0, order: 0 } },
    workers: 1,
    beforeStart: (pebble) => (hook.pebble = pebble),
  });
  try {
    for (let kill = 1; kill <= 6; kill += 1) {
      rig.postern.writeConfig(rig.document.replace(hosts(2), hosts(kill * 2)));
      await rig.restart('SIGKILL');
      await new Promise((done) => {
        setTimeout(done, Math.random() * 2500);
      });
    }
    await rig.restart('SIGKILL');
    const roots = await rig.pebble.issuerPem();
    for (const name of names)
      await until(
        async () => (await visit(rig.https, name.replace('*', 'x'), roots)).error === null,
        `"${name}" is served`,
      );
    assert.equal(rig.pebble.issued(), names.length);
    await until(() => hook.records.size === 0, 'every record is removed');
  } catch (error) {
    console.error(rig.postern.output(), hook.records);
    throw error;
  } finally {
    await rig.close();
    hook.close();
  }
});

test(
  'dns-account-01 has a record of its own for the account, in the document as in the protocol',
  { skip },
  async () => {
    const hook = await openHook();
    const names: string[] = [];
    const rig = await openAcmeRig({
      hosts: '  "*.account.example.com": { respond: { status: 200, body: hello }, allow: [public] }',
      acme: ', challenges: dns-account-01',
      more: dnsSection(hook),
      pebble: { env: FAULTS },
      beforeStart: (pebble) => (hook.pebble = pebble),
    });
    const watch = setInterval(() => names.push(...hook.records.keys()), 20);
    try {
      await untilTrusted(rig.https, 'x.account.example.com', await rig.pebble.issuerPem());
      assert.match(
        new Set(names).values().next().value ?? '',
        /^_[a-z2-7]{16}\._acme-challenge\.account\.example\.com$/,
      );
      await until(() => hook.records.size === 0, 'the record is removed');
      assert.equal(rig.pebble.issued(), 1);
    } finally {
      clearInterval(watch);
      await rig.close();
      hook.close();
    }
  },
);

test(
  'dns-persist-01 needs no DNS provider: the first try tells the one record, and renewals need nothing',
  { skip },
  async () => {
    const rig = await openAcmeRig({
      hosts: '  "*.persist.example.com": { respond: 200, allow: [public] }',
      acme: ', challenges: dns-persist-01',
      pebble: { env: FAULTS },
    });
    try {
      await rig.postern.waitFor('ACME_FAILED');
      const { stdout } = await rig.postern.cli('cert', 'list');
      const told = /set this TXT record once, it stays: (\S+) "([^"]+)"/.exec(stdout);
      assert.equal(told?.[1], '_validation-persist.persist.example.com', stdout);
      await rig.pebble.dns('set-txt', { host: `${told[1]}.`, value: told[2] });
      for (const issued of [1, 2]) {
        const renewed = await rig.postern.cli('cert', 'renew', '*.persist.example.com');
        assert.equal(renewed.code, 0, renewed.stdout + renewed.stderr);
        assert.equal(rig.pebble.issued(), issued);
      }
      await untilTrusted(rig.https, 'x.persist.example.com', await rig.pebble.issuerPem());
    } finally {
      await rig.close();
    }
  },
);
