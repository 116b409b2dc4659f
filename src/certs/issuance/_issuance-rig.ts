/** An issuance with a CA, a store and a clock of its own, for tests. */
import type { TestContext } from 'node:test';
import { createFakeCa, type FakeCa } from './_fake-ca.ts';
import { createMemoryIssuanceStore, type MemoryIssuanceStore } from './_memory-store.ts';
import { Issuance } from './issuance.ts';
import { isRsa, subjectOf, type AcmePolicy, type Wanted } from './wanted.ts';

export const DAY = 86_400_000;
export const HOUR = 3_600_000;
export const LIFE: number = 90 * DAY;

export interface Rig {
  readonly cas: readonly FakeCa[];
  readonly store: MemoryIssuanceStore;
  readonly lines: string[];
  now: number;
  readonly start: (holder?: string) => Promise<Issuance>;
  readonly policy: AcmePolicy;
  readonly want: (...names: string[]) => Wanted[];
}

export function rigOf(t: TestContext): Rig {
  const running: Issuance[] = [];
  t.after(() => Promise.all(running.map((one) => one.close())));
  const lines: string[] = [];
  const clock = { now: () => rig.now };
  const cas = [createFakeCa('one.ca', clock, LIFE), createFakeCa('two.ca', clock, LIFE)];
  const policy: AcmePolicy = {
    cas: cas.map((ca, at) => ({
      name: `CA ${at + 1}`,
      directory: ca.directory,
      eab: null,
      profile: null,
      preferredChain: null,
      rootsPem: null,
    })),
    fallbackAfter: 3,
    keyTypes: ['p256'],
    challenges: ['http-01'],
    dns: null,
    onDemand: false,
  };
  const log = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`);
  const rig: Rig = {
    cas,
    store: createMemoryIssuanceStore(),
    lines,
    now: Date.now(),
    policy,
    want: (...names) => wantedOf(names, policy),
    async start(holder = 'node') {
      const issuance = new Issuance({
        store: rig.store,
        seal: { seal: (_, text) => text, unseal: (_, sealed) => sealed },
        answers: { answersBy: () => ({ show: async () => async () => {} }) },
        clock,
        logger: { debug: () => {}, info: log('info'), warn: log('warn'), error: log('error') },
        holder,
        userAgent: 'test',
        onChange: () => {},
        random: () => 0.5,
        sleep: async () => {},
        connect: (ca) => (cas.find((one) => one.directory === ca.directory) as FakeCa).https,
      });
      await issuance.load();
      running.push(issuance);
      return issuance;
    },
  };
  return rig;
}

/** As the document asks for it: first all of the first kind of key, then all of the second. */
export function wantedOf(names: readonly string[], policy: AcmePolicy): Wanted[] {
  return policy.keyTypes.flatMap((keyType) =>
    names.map((name) => ({ subject: subjectOf([name], isRsa(keyType)), names: [name], keyType, policy, at: [] })),
  );
}

/** As much time as it takes until the next thing is due, and that done. */
export async function untilNext(rig: Rig, issuance: Issuance): Promise<void> {
  rig.now = Math.max(rig.now, Math.min(...issuance.status().map((one) => one.nextAt)));
  await issuance.review();
}

export const GONE: Error = Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
