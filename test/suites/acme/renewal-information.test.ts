/** Renewal information (RFC 9773) as CAs give it: asked for in time, followed where it is one, harmless where it is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/programs.ts';
import { untilTrusted, visit } from './rig.ts';
import { skip, NAME, withProxy, first, only, problem, says, html } from './_faulty.ts';
import type { CertificateDetails } from '../../../src/control/certificates.ts';
import type { Faults } from './_faulty.ts';

const HOUR = 3_600_000;
const PATH = 'draft-ietf-acme-ari';
const at = (hours: number): string => new Date(Date.now() + hours * HOUR).toISOString();
const windowOf = (start: string, end: string, more: object = {}): Faults =>
  says(PATH, 200, JSON.stringify({ suggestedWindow: { start, end }, ...more }));

/** None of these is renewal information: section 4.2 wants them taken for no answer. */
const NONE: readonly (readonly [string, Faults])[] = [
  ['times that are none', windowOf('soon', 'later')],
  ['a window that ends before it starts', windowOf(at(-1), at(-2))],
  ['no window', says(PATH, 200, '{}')],
  ['a page', says(PATH, 200, html)],
  ['another place', says(PATH, 302, '', { location: 'https://evil.example/' })],
  ['404', says(PATH, 404, problem('malformed', 'no such certificate'))],
  ['500', says(PATH, 500, 'sorry')],
];

test(
  'the first question comes right after the certificate, and what is no window changes nothing',
  { skip },
  async () => {
    await withProxy(
      () => null,
      async ({ rig, proxy, ca }) => {
        const { serial } = await untilTrusted(rig.https, NAME, ca);
        await until(() => proxy.log.some(({ path }) => path.startsWith(`/${PATH}`)), 'the CA is asked when to renew');
        for (const [what, faults] of NONE) {
          proxy.fault = faults;
          const { code, stdout } = await rig.postern.cli('cert', 'renew');
          assert.deepEqual([code, stdout], [0, 'Nothing is due\n'], what);
        }
        assert.equal((await visit(rig.https, NAME, ca)).serial, serial);
        assert.doesNotMatch(rig.postern.output(), /ACME_FAILED/);
      },
    );
  },
);

test('a window that is past renews, whatever else the CA says with it or of "replaces"', { skip }, async () => {
  await withProxy(
    () => null,
    async ({ rig, proxy, ca }) => {
      const { serial } = await untilTrusted(rig.https, NAME, ca);
      const past = windowOf(at(-3), at(-2), { explanationURL: `https://ca.example/${'x'.repeat(3_000)}` });
      const taken = first(1, only('order-plz'), {
        kind: 'answer',
        answer: { status: 409, body: problem('alreadyReplaced', 'another order took its place') },
      });
      await until(() => proxy.log.some(({ path }) => path.startsWith(`/${PATH}`)), 'the CA is asked when to renew');
      const old = proxy.log.find(({ path }) => path.startsWith(`/${PATH}`))?.path;
      // Of the new one it says nothing of the kind.
      proxy.fault = (asked) => taken(asked) ?? (asked.path === old ? past(asked) : null);
      const before = proxy.log.length;
      const { code, stdout } = await rig.postern.cli('cert', 'renew');
      assert.equal(code, 0, stdout);
      assert.match(stdout, /ok +a\.example\.com/);
      await until(async () => (await visit(rig.https, NAME, ca)).serial !== serial, 'the new one is served');
      const orders = proxy.log.slice(before).filter(({ path }) => path.startsWith('/order-plz'));
      const replaced = orders.map(({ payload }) => (payload as { replaces?: string }).replaces);
      assert.match(replaced[0] ?? '', /^[\w-]+\.[\w-]+$/, 'the first names what it replaces');
      assert.equal(replaced.at(-1), undefined);
    },
  );
});

test('six-day certificates are renewed at half their life, or in the window that the CA names', { skip }, async () => {
  await withProxy(
    says(PATH, 404, problem('malformed', 'no such certificate')),
    async ({ rig, proxy, ca }) => {
      const { validTo } = await untilTrusted(rig.https, NAME, ca);
      const days = (ms: number): number => (validTo - ms) / 86_400_000;
      assert.ok(days(Date.now()) > 5 && days(Date.now()) < 6.1);
      const shown = async (): Promise<Pick<CertificateDetails, 'nextAt' | 'window'>> =>
        JSON.parse((await rig.postern.cli('cert', 'show', NAME, '--json')).stdout) as CertificateDetails;
      await until(async () => (await shown()).nextAt !== null, 'a renewal is planned');
      const alone = await shown();
      assert.equal(alone.window, null);
      // Half of six days, less the spread of a twentieth.
      assert.ok(
        days(alone.nextAt ?? 0) > 2.9 && days(alone.nextAt ?? 0) < 3.4,
        `${days(alone.nextAt ?? 0)} days before`,
      );
      proxy.fault = () => null;
      await rig.postern.cli('cert', 'renew');
      await until(async () => (await shown()).window !== null, 'the CA names a window');
      const { nextAt, window } = await shown();
      assert.ok(nextAt !== null && window !== null);
      assert.ok(nextAt >= window.start && nextAt <= window.end, `at ${nextAt}, of ${window.start} to ${window.end}`);
    },
    { hosts: `  ${NAME}: { tls: { acme: { profile: shortlived } }, respond: 200, allow: [public] }` },
  );
});
