/**
 * A real pebble behind a proxy that spoils its answers, one fault after the other, in front of a real Postern: whatever
 * a CA or the way to it does, the name gets exactly one certificate, or the operator one clear line and the site keeps
 * what it has.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { startPebble } from '../../support/pebble.ts';
import { until } from '../../support/programs.ts';
import { untilTrusted, visit, type AcmeRig } from './rig.ts';
import { skip, NAME, withProxy, first, everyKind, only, problem, html, says } from './_faulty.ts';
import type { Faults } from './_faulty.ts';

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
    'an order that is valid and does not say yet where its certificate is',
    first(3, ({ path, payload }) => (path.startsWith('/my-order') && payload === null ? 'order' : null), {
      kind: 'change',
      change: ({ body }) => ({
        body: body.replace(/"status": "\w+"/, '"status": "valid"').replace(/,?\s*"certificate": "[^"]*"/, ''),
      }),
    }),
  ],
  [
    'an order that is ready here and not yet there, twice',
    first(2, only('finalize-order'), {
      kind: 'answer',
      answer: { status: 403, body: problem('orderNotReady', 'not yet') },
    }),
  ],
  [
    '429 with Retry-After of a second, once for each kind of request',
    first(1, everyKind, {
      kind: 'answer',
      answer: { status: 429, headers: { 'retry-after': '1' }, body: problem('rateLimited', 'slow down') },
    }),
  ],
  [
    'a kind of challenge that nobody knows, with other fields',
    first(9_999, only('authZ'), {
      kind: 'change',
      change: ({ body }) => ({ body: body.replace('"challenges": [', '"challenges": [{"type":"quantum-01"},') }),
    }),
  ],
  [
    'a chain in the wrong order',
    first(9_999, only('certZ'), {
      kind: 'change',
      change: ({ body }) => ({
        body: (body.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----\n/g) ?? []).toReversed().join(''),
      }),
    }),
  ],
  [
    'half a chain, once',
    first(1, only('certZ'), { kind: 'change', change: ({ body }) => ({ body: body.slice(0, 300) }) }),
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
          ? // Not where pebble refused the nonce: then nothing is done yet.
            {
              kind: 'change',
              change: ({ status }) => (status === 200 ? { status: 403, body: problem('unauthorized', 'no') } : {}),
            }
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

test('a directory that has moved is read anew, not an hour later', { skip }, async () => {
  let isMoved = false;
  const old: Faults = ({ path }) => {
    if (path.startsWith('/old-order')) return { kind: 'answer', answer: { status: 404, body: 'not found' } };
    if (path !== '/dir' || isMoved) return null;
    return { kind: 'change', change: ({ body }) => ({ body: body.replace('/order-plz', '/old-order') }) };
  };
  await withProxy(old, async ({ rig, ca, renew }) => {
    await rig.postern.waitFor('ACME_FAILED');
    isMoved = true;
    const { code, stdout, stderr } = await renew();
    assert.equal(code, 0, stdout + stderr);
    await untilTrusted(rig.https, NAME, ca);
  });
});

const withoutIssuer: Faults = first(9_999, only('certZ'), {
  kind: 'change',
  change: ({ body }) => ({ body: body.slice(0, body.indexOf('-----END CERTIFICATE-----') + 26) }),
});

test('a renewal that comes without its intermediate is served with the one of before', { skip }, async () => {
  await withProxy(
    () => null,
    async ({ rig, proxy, ca, renew }) => {
      const before = await untilTrusted(rig.https, NAME, ca);
      proxy.fault = withoutIssuer;
      assert.equal((await renew()).code, 0);
      await until(async () => (await visit(rig.https, NAME, ca)).serial !== before.serial, 'the new one is served');
      assert.equal((await visit(rig.https, NAME, ca)).error, null);
      assert.doesNotMatch(rig.postern.output(), /without that of its issuer/);
    },
  );
});

test(
  'a first certificate that comes without its intermediate is served, and the log says what it lacks',
  { skip },
  async () => {
    await withProxy(withoutIssuer, async ({ rig, proxy, ca, renew }) => {
      await rig.postern.waitFor(
        /came without that of its issuer \\"Pebble Intermediate CA [^(]*get a TLS error \(name another chain/,
      );
      await until(
        async () => (await visit(rig.https, NAME, ca)).error !== 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
        'it is served',
      );
      assert.match((await visit(rig.https, NAME, ca)).error ?? '', /UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/);
      // The line in the log may be weeks old when somebody looks.
      await rig.restart();
      const { stdout } = await rig.postern.cli('cert', 'list');
      assert.match(
        stdout,
        /a\.example\.com: The certificate of \S+ for "a\.example\.com" came without that of its issuer/,
      );
      proxy.fault = () => null;
      assert.equal((await renew()).code, 0);
      await untilTrusted(rig.https, NAME, ca);
    });
  },
);

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
