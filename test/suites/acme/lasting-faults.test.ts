/**
 * Faults of a CA that last: one clear line for the operator, the site keeps what it has, and all is well once they
 * are over.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untilTrusted, visit } from './rig.ts';
import { skip, NAME, withProxy, first, only, problem, html, says } from './_faulty.ts';
import type { Faults } from './_faulty.ts';

interface Lasting {
  readonly what: string;
  readonly faults: Faults;
  /** The line for the operator. */
  readonly line: RegExp;
}

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
