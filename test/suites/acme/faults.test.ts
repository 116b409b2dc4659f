/**
 * A real pebble behind a proxy that spoils its answers, one fault after the other, in front of a real Postern: whatever
 * a CA or the way to it does, the name gets exactly one certificate, or the operator one clear line and the site keeps
 * what it has.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { startFaultyProxy, type Asked, type Fault, type FaultyProxy } from '../../support/faulty-proxy.ts';
import { startPebble } from '../../support/pebble.ts';
import { until } from '../../support/programs.ts';
import { openAcmeRig, untilTrusted, visit, type AcmeRig, type AcmeRigOptions } from './rig.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const NAME = 'a.example.com';
const HOST = `  ${NAME}: { respond: { status: 200, body: hello }, allow: [public] }`;

interface World {
  readonly rig: AcmeRig;
  readonly proxy: FaultyProxy;
  /** Roots of what pebble issues. */
  readonly ca: string;
  readonly renew: () => Promise<{ code: number; stdout: string; stderr: string }>;
}

type Faults = (asked: Asked) => Fault | null;

/** `faults`: what goes wrong from the start. */
async function withProxy(
  faults: Faults,
  run: (world: World) => Promise<void>,
  more: Partial<AcmeRigOptions> = {},
): Promise<void> {
  let proxy: FaultyProxy | null = null;
  const rig = await openAcmeRig({
    hosts: HOST,
    ...more,
    pebble: { env: { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_NOSLEEP: '1' }, ...more.pebble },
    async directory(pebble) {
      proxy = await startFaultyProxy(pebble.directory, pebble.apiPem);
      proxy.fault = faults;
      return `https://${proxy.host}/dir`;
    },
  });
  assert.ok(proxy !== null);
  try {
    const renew = (): ReturnType<typeof rig.postern.cli> => rig.postern.cli('cert', 'renew', NAME);
    await run({ rig, proxy, renew, ca: await rig.pebble.issuerPem() });
  } catch (error) {
    console.error(rig.postern.output());
    throw error;
  } finally {
    await rig.close();
    await (proxy as FaultyProxy).stop();
  }
}

/** The first requests of each kind, so many, have the fault. */
function first(count: number, kindOf: (asked: Asked) => string | null, fault: Fault): Faults {
  const seen = new Map<string, number>();
  return (asked) => {
    const kind = kindOf(asked);
    if (kind === null) return null;
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return before < count ? fault : null;
  };
}

const everyKind = ({ path }: Asked): string => path.split('/')[1] ?? '';
const only =
  (kind: string) =>
  ({ path }: Asked): string | null =>
    path.startsWith(`/${kind}`) ? kind : null;

const problem = (type: string, detail: string, more: object = {}): string =>
  JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail, ...more });
const html = '<html><head><title>Oops</title></head><body><h1>502 Bad\u001b[31m Gateway</h1></body></html>';

/** Faults that pass: one certificate, and nobody hears of them. */
const PASSING: readonly (readonly [string, Faults])[] = [
  [
    '503 with a page in HTML, once for each kind of request',
    first(1, everyKind, {
      kind: 'answer',
      answer: { status: 503, headers: { 'content-type': 'text/html' }, body: html },
    }),
  ],
  [
    '500 twice for each kind of request',
    first(2, everyKind, { kind: 'answer', answer: { status: 500, body: problem('serverInternal', 'sorry') } }),
  ],
  [
    '503 with Retry-After as a date',
    first(1, everyKind, {
      kind: 'answer',
      answer: { status: 503, headers: { 'retry-after': new Date(Date.now() + 4_000).toUTCString() } },
    }),
  ],
  ['connections that break in the middle of the answer', first(1, everyKind, { kind: 'cut' })],
  ['connections that break before the question', first(1, everyKind, { kind: 'reset' })],
  ['connections that break after the question, before the answer', first(1, everyKind, { kind: 'reset', after: true })],
  [
    'every second finalisation whose answer is lost, twice',
    first(2, only('finalize-order'), { kind: 'reset', after: true }),
  ],
  [
    'answers of another content type',
    () => ({ kind: 'change', change: ({ headers }) => ({ headers: { ...headers, 'content-type': 'text/html' } }) }),
  ],
  [
    'paths in place of URLs in Location',
    () => ({
      kind: 'change',
      change: ({ headers }) => ({
        headers: {
          ...headers,
          ...(headers.location !== undefined && { location: new URL(headers.location).pathname }),
        },
      }),
    }),
  ],
  [
    'no Retry-After, or one that is none',
    () => ({ kind: 'change', change: ({ headers }) => ({ headers: { ...headers, 'retry-after': 'soon' } }) }),
  ],
  [
    'an order that is "processing" for a while, with Retry-After',
    first(4, only('my-order'), {
      kind: 'change',
      change: ({ headers, body }) => ({
        headers: { ...headers, 'retry-after': '1' },
        body: body.replace(/"status": "(?:valid|ready)"/, '"status": "processing"'),
      }),
    }),
  ],
  [
    'an unknown "status" of a challenge, fields that nobody knows, and nulls',
    () => ({
      kind: 'change',
      change: ({ body }) => ({
        body: body.startsWith('{') ? JSON.stringify({ ...(JSON.parse(body) as object), 'x-new': { a: [null] } }) : body,
      }),
    }),
  ],
  [
    'renewal information that is a page',
    first(99, only('draft-ietf-acme-ari'), { kind: 'answer', answer: { body: html } }),
  ],
];

for (const [what, faults] of PASSING)
  test(`one certificate despite ${what}`, { skip }, async () => {
    await withProxy(faults, async ({ rig, ca }) => {
      await untilTrusted(rig.https, NAME, ca, 90_000);
      assert.equal(rig.pebble.issued(), 1);
      assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
    });
  });

for (const percent of ['50', '80'])
  test(`one certificate each for ten names where ${percent} % of good nonces are refused`, { skip }, async () => {
    const names = Array.from({ length: 10 }, (_, at) => `n${at}.example.com`);
    const hosts = names.map((name) => `  ${name}: { respond: 200, allow: [public] }`).join('\n');
    const env = { PEBBLE_WFE_NONCEREJECT: percent, PEBBLE_VA_NOSLEEP: '1' };
    await withProxy(
      () => null,
      async ({ rig, ca }) => {
        for (const name of names) await untilTrusted(rig.https, name, ca, 90_000);
        assert.equal(rig.pebble.issued(), names.length);
        assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
      },
      { hosts, pebble: { env } },
    );
  });

interface Lasting {
  readonly what: string;
  readonly faults: Faults;
  /** The line for the operator. */
  readonly line: RegExp;
}

const says = (path: string, status: number, body: string, headers: Record<string, string> = {}): Faults =>
  first(9_999, only(path), { kind: 'answer', answer: { status, body, headers } });
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

/** Faults that last: one clear line with the name, the step, the CA's words and a remedy; then all is well again. */
const LASTING: readonly Lasting[] = [
  {
    what: 'a directory that is a page',
    faults: says('dir', 200, html),
    line: /Cannot read the directory of \S+: \S+ does not speak ACME: its answer is .*not JSON: "Oops 502 Bad\\u001b\[31m Gateway" \(check that acme\.ca/,
  },
  {
    what: 'a directory without newOrder',
    faults: first(9_999, only('dir'), {
      kind: 'change',
      change: ({ body }) => ({ body: body.replace('"newOrder"', '"newBorder"') }),
    }),
    line: /its answer has no good "newOrder"/,
  },
  {
    what: 'a directory that is a list',
    faults: says('dir', 200, '[]'),
    line: /Cannot read the directory of .*its answer is not what was asked for/,
  },
  {
    what: 'a directory that is not there',
    faults: says('dir', 404, 'page not found'),
    line: /Cannot read the directory of \S+: \S+ answers 404 "page not found"/,
  },
  {
    what: 'a directory of plain HTTP',
    faults: first(9_999, only('dir'), {
      kind: 'change',
      change: ({ body }) => ({ body: body.replaceAll('https://', 'http://') }),
    }),
    line: /has no good "newNonce" \(an https URL\)/,
  },
  {
    what: 'a redirect to elsewhere',
    faults: says('dir', 302, '', { location: 'https://evil.example/dir' }),
    line: /it sends the client elsewhere, to "https:\/\/evil\.example\/dir"/,
  },
  {
    what: 'an answer of two megabytes',
    faults: says('order-plz', 201, 'x'.repeat(2_000_000)),
    line: /Cannot order a certificate for "a\.example\.com" at \S+: \S+ does not speak ACME: its answer is larger than 1 MiB/,
  },
  {
    what: 'an empty answer',
    faults: says('order-plz', 201, ''),
    line: /Cannot order a certificate for "a\.example\.com" .*does not speak ACME/,
  },
  {
    what: 'an answer without nonces',
    faults: first(9_999, () => 'all', {
      kind: 'change',
      change: ({ headers }) => ({
        headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'replay-nonce')),
      }),
    }),
    line: /Cannot get a nonce: \S+ does not speak ACME: its answer has no Replay-Nonce/,
  },
  {
    what: 'terms that have changed',
    faults: says(
      'order-plz',
      403,
      problem('userActionRequired', 'Terms of service have changed', { instance: 'https://ca.example/agree?token=1' }),
    ),
    line: /userActionRequired "Terms of service have changed"; see "https:\/\/ca\.example\/agree\?token=1" \(the CA's terms have changed/,
  },
  {
    what: 'a limit of the account with Retry-After as a date',
    faults: says('order-plz', 429, problem('rateLimited', 'too many new orders'), {
      'retry-after': new Date(Date.now() + 7_200_000).toUTCString(),
    }),
    line: /rateLimited "too many new orders"; not again before \d{4}-\d\d-\d\dT\d\d:\d\dZ \(it is tried again by itself then\)/,
  },
  {
    what: 'CAA records that forbid it',
    faults: says(
      'finalize-order',
      403,
      problem('caa', 'CAA record for a.example.com prevents issuance', {
        subproblems: [
          {
            type: 'urn:ietf:params:acme:error:caa',
            detail: 'other-ca.example only',
            identifier: { type: 'dns', value: NAME },
          },
        ],
      }),
    ),
    line: /Cannot finalise the order for "a\.example\.com" .*caa "CAA record for a\.example\.com prevents issuance"; "a\.example\.com": caa "other-ca\.example only" \(the CAA records of the name allow other CAs only/,
  },
  {
    what: 'a chain that is none',
    faults: says('certZ', 200, PEM),
    line: /Cannot download the certificate from \S+: \S+ gives no certificate chain/,
  },
  {
    what: 'half a chain',
    faults: first(9_999, only('certZ'), { kind: 'change', change: ({ body }) => ({ body: body.slice(0, 300) }) }),
    line: /gives no certificate chain/,
  },
  {
    what: 'a CA that refuses everything',
    faults: () => ({ kind: 'answer', answer: { status: 403, body: 'Forbidden by the firewall' } }),
    line: /answers 403 "Forbidden by the firewall"/,
  },
];

for (const { what, faults, line } of LASTING)
  test(`${what}: one clear line, and a certificate once that is over`, { skip }, async () => {
    await withProxy(faults, async ({ rig, proxy, ca, renew }) => {
      await rig.postern.waitFor('ACME_FAILED');
      const failure =
        rig.postern
          .output()
          .split('\n')
          .find((one) => one.includes('ACME_FAILED')) ?? '';
      const message = (JSON.parse(failure) as { message: string }).message;
      assert.match(message, line);
      assert.match(message, /Visitors of "a\.example\.com" get a TLS error until it works$/);
      assert.ok(message.length < 1_000, message);
      assert.equal(failure.split('ACME_FAILED').length, 2);
      const issued = rig.pebble.issued();
      proxy.fault = () => null;
      const { code, stdout, stderr } = await renew();
      assert.equal(code, 0, stdout + stderr);
      await untilTrusted(rig.https, NAME, ca);
      assert.ok(rig.pebble.issued() === Math.max(issued, 1), 'what was issued already is used');
    });
  });

test('the pause after failures outlives kill -9, and is longer each time', { skip }, async () => {
  const down: Faults = () => ({ kind: 'answer', answer: { status: 403, body: 'closed' } });
  await withProxy(down, async ({ rig, proxy, renew }) => {
    await rig.postern.waitFor('ACME_FAILED');
    assert.equal((await renew()).code, 1);
    interface Line {
      readonly failures: number;
      readonly nextAt: number;
    }
    const line = async (): Promise<Line> => {
      const [one] = JSON.parse((await rig.postern.cli('cert', 'list', '--json')).stdout) as Line[];
      assert.ok(one !== undefined);
      return one;
    };
    const before = await line();
    assert.equal(before.failures, 2);
    assert.ok(before.nextAt - Date.now() > 60_000, 'about two minutes');
    await rig.restart('SIGKILL');
    const asked = proxy.log.length;
    const after = await line();
    assert.deepEqual([after.failures, after.nextAt], [before.failures, before.nextAt]);
    assert.equal(proxy.log.length, asked, 'a start asks nothing before the time');
  });
});

test('a renewal that fails in every way leaves the certificate in use', { skip }, async () => {
  await withProxy(
    () => null,
    async ({ rig, proxy, ca, renew }) => {
      const { serial } = await untilTrusted(rig.https, NAME, ca);
      // The directory is known by then.
      for (const { what, faults } of LASTING) {
        if (/directory|redirect/.test(what)) continue;
        proxy.fault = faults;
        await renew();
        const seen = await visit(rig.https, NAME, ca);
        assert.deepEqual([seen.error, seen.serial], [null, serial]);
      }
      proxy.fault = () => null;
      assert.equal((await renew()).code, 0);
      await rig.postern.waitFor(/Certificate not renewed: .*The one in use is good for \d+ more days/);
    },
  );
});

for (const kind of ['finalize-order', 'certZ', 'my-order', 'order-plz', 'authZ', 'chalZ', 'sign-me-up'])
  test(`kill -9 while the answer to "${kind}" is awaited: the same order goes on`, { skip }, async () => {
    await withProxy(first(1, only(kind), { kind: 'hang' }), async ({ rig, proxy, ca }) => {
      await until(() => proxy.log.some(({ path }) => path.startsWith(`/${kind}`)), 'it is asked');
      await rig.restart('SIGKILL');
      await untilTrusted(rig.https, NAME, ca, 90_000);
      assert.equal(rig.pebble.issued(), 1);
      assert.doesNotMatch(rig.pebble.output(), /There are now 2 accounts/);
    });
  });

test('a CA that has forgotten account and orders gets new ones at once', { skip }, async () => {
  await withProxy(
    () => null,
    async ({ rig, proxy, ca, renew }) => {
      const before = await untilTrusted(rig.https, NAME, ca);
      const other = await startPebble({ httpPort: rig.http, tlsPort: rig.https });
      try {
        proxy.target = other.directory;
        const { code, stdout, stderr } = await renew();
        assert.equal(code, 0, stdout + stderr);
        await untilTrusted(rig.https, NAME, await other.issuerPem());
        await rig.postern.waitFor(/Making the account at \S+ anew: the CA knows it no more/);
        assert.notEqual(before.serial, '');
      } finally {
        await other.stop();
      }
    },
  );
});

test('an account that was deactivated elsewhere is made anew', { skip }, async () => {
  await withProxy(
    () => null,
    async ({ rig, proxy, ca, renew }) => {
      await untilTrusted(rig.https, NAME, ca);
      // The answer is lost, as if somebody else had done it: Postern keeps the account.
      proxy.fault = ({ payload }) =>
        isDeactivation(payload)
          ? { kind: 'change', change: () => ({ status: 403, body: problem('unauthorized', 'no') }) }
          : null;
      assert.equal((await rig.postern.cli('cert', 'account', 'deactivate')).code, 1);
      proxy.fault = () => null;
      const { code, stdout, stderr } = await renew();
      assert.equal(code, 0, stdout + stderr);
      await rig.postern.waitFor(/Making the account at \S+ anew: it has been deactivated elsewhere/);
      assert.equal((await rig.postern.cli('cert', 'account', 'deactivate')).code, 0);
    },
  );
});

const isDeactivation = (payload: unknown): boolean => (payload as { status?: string } | null)?.status === 'deactivated';

test(
  'a change of the account key whose answer is lost has happened; one that is refused has not',
  { skip },
  async () => {
    await withProxy(
      () => null,
      async ({ rig, proxy, ca, renew }) => {
        await untilTrusted(rig.https, NAME, ca);
        const rotate = (): ReturnType<typeof renew> => rig.postern.cli('cert', 'account', 'rotate-key');
        proxy.fault = first(1, only('rollover'), { kind: 'reset', after: true });
        const lost = await rotate();
        assert.equal(lost.code, 0, lost.stdout + lost.stderr);
        assert.equal((await renew()).code, 0);
        proxy.fault = says('rollover', 409, problem('malformed', 'New key is already in use'), {
          location: 'https://127.0.0.1/my-account/other',
        });
        const refused = await rotate();
        assert.equal(refused.code, 1);
        assert.match(
          refused.stderr,
          /Cannot change the account key at \S+: the CA says malformed "New key is already in use"/,
        );
        proxy.fault = () => null;
        assert.equal((await renew()).code, 0, 'the old key is still good');
        assert.equal((await rotate()).code, 0);
        await rig.restart();
        assert.equal((await renew()).code, 0);
      },
    );
  },
);

test('authorisations that have expired meanwhile are asked for again', { skip }, async () => {
  const expired: Faults = first(1, only('authZ'), {
    kind: 'change',
    change: ({ body }) => ({ body: body.replace('"pending"', '"expired"') }),
  });
  await withProxy(expired, async ({ rig, ca }) => {
    await untilTrusted(rig.https, NAME, ca);
    assert.equal(rig.pebble.issued(), 1);
  });
});

test(
  'names that lead elsewhere are told as the CA tells it, and orders go on when DNS is right',
  { skip },
  async () => {
    const beforeStart = (pebble: AcmeRig['pebble']): void =>
      void pebble.dns('add-a', { host: `${NAME}.`, addresses: ['127.0.0.2'] });
    await withProxy(
      () => null,
      async ({ rig, ca, renew }) => {
        await rig.postern.waitFor(
          /Cannot prove to \S+ that \\"a\.example\.com\\" leads here by http-01: the CA says connection/,
        );
        await rig.pebble.dns('clear-a', { host: `${NAME}.` });
        await until(async () => (await renew()).code === 0, 'it is ordered');
        await untilTrusted(rig.https, NAME, ca);
        assert.equal(rig.pebble.issued(), 1);
      },
      { beforeStart },
    );
  },
);

test('slow validations are waited for', { skip }, async () => {
  await withProxy(
    () => null,
    async ({ rig, ca }) => {
      await untilTrusted(rig.https, NAME, ca, 90_000);
      assert.equal(rig.pebble.issued(), 1);
      assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
    },
    { pebble: { env: { PEBBLE_VA_NOSLEEP: '0', PEBBLE_VA_SLEEPTIME: '25' } } },
  );
});

test('a clock half a year ahead orders one certificate, and says what is wrong', { skip }, async () => {
  const files = { 'clock.mjs': `const real = Date.now.bind(Date); Date.now = () => real() + 200 * 86_400_000;\n` };
  await withProxy(
    () => null,
    async ({ rig, renew }) => {
      await rig.postern.waitFor(/this machine's clock says .*set the clock/);
      for (let tries = 0; tries < 3; tries += 1) assert.equal((await renew()).code, 1);
      assert.equal(rig.pebble.issued(), 1);
    },
    { files, preload: 'clock.mjs' },
  );
});

test('the chain that came is the one that is served, whatever else the CA sends with it', { skip }, async () => {
  await withProxy(
    ({ path }) =>
      path.startsWith('/certZ') ? { kind: 'change', change: ({ body }) => ({ body: `${body}\r\n\r\n` }) } : null,
    async ({ rig, ca }) => {
      const { serial } = await untilTrusted(rig.https, NAME, ca);
      const { stdout } = await rig.postern.cli('cert', 'show', NAME, '--pem');
      assert.equal(new X509Certificate(stdout).serialNumber, serial);
    },
  );
});
