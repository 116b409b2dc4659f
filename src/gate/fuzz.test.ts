/**
 * Whatever credentials a request carries: the gate lets nobody through who holds none, and never throws.
 * POSTERN_FUZZ sets how many requests are made; each is a mutation of something that would be let in.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { COOKIE, createRig, policy, signedIn } from './_rig.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 5_000);
const PIECES = [
  '',
  '=',
  ';',
  ',',
  '"',
  '|||',
  '%00',
  '\u0000',
  '\u00a0',
  '\u00ff',
  '\t',
  '==',
  'Basic',
  'Bearer',
  ':',
  'A'.repeat(43),
  'x'.repeat(9_000),
];

function createDice(seed: string): (sides: number) => number {
  let [block, at, round] = [Buffer.alloc(0), 0, 0];
  return (sides) => {
    if (at + 4 > block.length) {
      block = createHash('sha512').update(`${seed}/${round++}`).digest();
      at = 0;
    }
    at += 4;
    return block.readUInt32BE(at - 4) % sides;
  };
}

test(`Fuzz: ${RUNS} requests with forged cookies, passwords and tokens are let in nowhere`, async () => {
  const rig = createRig();
  const seed = process.env['POSTERN_FUZZ_SEED'] ?? String(Date.now());
  const dice = createDice(seed);
  const pick = <T>(from: readonly T[]): T => from[dice(from.length)] as T;
  const session = rig.signIn();
  const elsewhere = rig.signIn({ host: 'other.example' });
  const expired = rig.signIn({ expiresAt: rig.clock.at - 1 });
  const token = rig.mintToken('ci');
  const late = rig.mintToken('old', rig.clock.at - 1);
  const basic = Buffer.from('promtail:secret').toString('base64');
  const policies = [
    signedIn(),
    policy(({ identity }) => identity.kind === 'person', { dependsOnlyOnIdentity: false }),
    policy(({ identity }) => identity.kind !== 'anonymous', { acceptsServices: true }),
  ];
  const mutate = (text: string): string => {
    for (;;) {
      const at = dice(text.length + 1);
      const flipped = String.fromCharCode((text.charCodeAt(at) || 65) ^ (1 << dice(7)));
      const changed = pick([
        text.slice(0, at) + pick(PIECES) + text.slice(at),
        text.slice(0, at) + flipped + text.slice(at + 1),
        text.slice(0, at),
        text.slice(at),
        text.toUpperCase(),
        pick(PIECES),
      ]);
      if (!changed.includes(text)) return changed;
    }
  };
  const fields = (): Record<string, string[]> => {
    const found: Record<string, string[]> = {};
    const add = (name: string, value: string): void => void (found[name] ??= []).push(value.replaceAll(/[\r\n]/g, ''));
    for (let n = dice(4); n > 0; n--) {
      const value = pick([elsewhere, expired, mutate(session), mutate(token)]);
      add('Cookie', `${pick([COOKIE, mutate(COOKIE), `${COOKIE}_0`])}=${value}${pick(['', '; a=b', ';', ' '])}`);
    }
    const tried = [
      `Basic ${mutate(basic)}`,
      `Bearer ${mutate(token)}`,
      `Bearer ${late}`,
      `bearer ${session}`,
      mutate('Basic'),
    ];
    if (dice(2) === 0) add(pick(['Authorization', 'Postern-Authorization']), pick(tried));
    return found;
  };
  for (let n = 0; n < RUNS; n++) {
    const headers = fields();
    const about = `seed ${seed}, request ${n}: ${JSON.stringify(headers).slice(0, 1_000)}`;
    const judged = await rig.ask(headers, pick(policies), pick(['192.0.2.1', null]));
    assert.notEqual(judged.decision.kind, 'allow', about);
    assert.equal(judged.identity.kind, 'anonymous', about);
    assert.equal(judged.session, null, about);
  }
  const open = await rig.ask({ Cookie: `${COOKIE}=${session}` });
  assert.equal(open.decision.kind, 'allow');
});
