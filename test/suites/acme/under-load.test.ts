/** Orders and renewals while visitors come in numbers: nobody notices, and the CA gets its answers. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:https';
import { test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import { skipWithout } from '../../support/peers.ts';
import { until } from '../../support/programs.ts';
import { openAcmeRig, untilTrusted, visit, visitAs } from './rig.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const A = '  a.example.com: { respond: { status: 200, body: hello }, allow: [public] }';

/** Connections that stay, and visitors that come anew each time. */
const KEPT = 8;
const FRESH = 4;

interface Load {
  readonly answered: () => number;
  readonly stop: () => Promise<readonly string[]>;
}

/** Visitors with connections that stay, and visitors with a new handshake for each request. */
// oxlint-disable-next-line max-params -- who comes where
function startLoad(port: number, name: string, ca: string, clients: readonly ConnectionOptions[] = [{}]): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: KEPT, ca });
  const failures: string[] = [];
  const over = new AbortController();
  let answered = 0;
  const get = (): Promise<void> =>
    new Promise((resolve) => {
      const req = request({ port, host: '127.0.0.1', servername: name, headers: { host: name }, agent }, (res) => {
        let body = '';
        res.on('data', (chunk: Buffer) => (body += chunk.toString()));
        res.on('end', () => {
          if (res.statusCode === 200 && body === 'hello') answered += 1;
          else failures.push(`${res.statusCode} ${body}`);
          resolve();
        });
      });
      req.on('error', (error) => {
        failures.push(error.message);
        resolve();
      });
      req.end();
    });
  const shake = async (client: ConnectionOptions = {}): Promise<void> => {
    const seen = await visitAs(client, { port, name, ca });
    if (seen.error === null && seen.body.endsWith('hello')) answered += 1;
    else failures.push(seen.error ?? seen.body.slice(0, 100));
  };
  const loop = async (step: () => Promise<void>): Promise<void> => {
    while (!over.signal.aborted) await step();
  };
  const shakes = Array.from({ length: FRESH }, (_, at) => loop(() => shake(clients[at % clients.length])));
  const loops = [...Array.from({ length: KEPT }, () => loop(get)), ...shakes];
  return {
    answered: () => answered,
    async stop() {
      over.abort();
      await Promise.all(loops);
      agent.destroy();
      return failures;
    },
  };
}

/** Of the time before ECDSA. */
const OLD: ConnectionOptions = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' };

test(
  'renewals of both kinds of key under load drop none of the requests, of old clients either',
  { skip },
  async () => {
    const rig = await openAcmeRig({
      hosts: A,
      acme: ', key_type: [p256, rsa2048]',
      pebble: { env: { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_SLEEPTIME: '1' } },
    });
    try {
      const roots = await rig.pebble.issuerPem();
      let { serial } = await untilTrusted(rig.https, 'a.example.com', roots);
      const isOldServed = async (): Promise<boolean> =>
        (await visitAs(OLD, { port: rig.https, name: 'a.example.com', ca: roots })).error === null;
      await until(isOldServed, 'the RSA one is there');
      const load = startLoad(rig.https, 'a.example.com', roots, [{}, OLD]);
      for (let round = 0; round < 3; round += 1) {
        const renewed = await rig.postern.cli('cert', 'renew', 'a.example.com');
        assert.equal(renewed.code, 0, renewed.stdout + renewed.stderr);
        const before = serial;
        await until(async () => {
          ({ serial } = await visit(rig.https, 'a.example.com', roots));
          return serial !== before;
        }, 'the renewed certificate is served');
      }
      const failures = await load.stop();
      console.error(`${load.answered()} requests answered during three renewals`);
      assert.deepEqual(failures, []);
      assert.ok(load.answered() > 200, `${load.answered()} requests`);
    } finally {
      await rig.close();
    }
  },
);

for (const challenge of ['http-01', 'tls-alpn-01']) {
  test(`${challenge} is answered on the real listener while another host is under load`, { skip }, async () => {
    const rig = await openAcmeRig({
      hosts: A,
      acme: `, challenges: ${challenge}`,
      pebble: { env: { PEBBLE_VA_SLEEPTIME: '1' } },
    });
    try {
      const roots = await rig.pebble.issuerPem();
      await untilTrusted(rig.https, 'a.example.com', roots);
      const load = startLoad(rig.https, 'a.example.com', roots);
      const more = Array.from({ length: 8 }, (_, at) => `  m${at}.example.com: { respond: 200, allow: [public] }`);
      rig.postern.writeConfig(rig.document.replace(A, [A, ...more].join('\n')));
      assert.equal((await rig.postern.cli('reload')).code, 0);
      for (let at = 0; at < 8; at += 1) await untilTrusted(rig.https, `m${at}.example.com`, roots);
      assert.deepEqual(await load.stop(), []);
      assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
      assert.equal(rig.pebble.issued(), 9);
    } finally {
      await rig.close();
    }
  });
}
