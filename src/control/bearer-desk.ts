/**
 * Verifies access tokens for the workers. Bounded: so many at once, and what was refused a moment ago is
 * refused again unread, so that a flood of bad tokens costs a hash each. Why is for the log alone. What it vouched for
 * ends in the workers when the provider lists the key no more by which it was signed.
 */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { BearerAnswer } from '../session/record.ts';
import { keyOfBearer } from '../session/token.ts';
import { createVouched } from './vouched-bearers.ts';
import type { Recognise } from '../sign-in/admission.ts';
import type { Provider, Providers, VerifiedBearer } from '../sign-in/provider.ts';

const MOST_AT_ONCE = 64;
const REFUSED_FOR_MS = 5_000;
const MOST_REFUSED = 5_000;
const LINES_A_SECOND = 5;

export interface BearerDeskDeps {
  readonly providers: Pick<Providers, 'find'>;
  /** A name that people may give up belongs to whom had it first, whatever they come with. */
  readonly recognise: Recognise;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Tokens that count no more unless they are asked about again. */
  readonly onEnded: (keys: readonly string[]) => void;
}

type VerifyOne = NonNullable<Provider['verifyBearer']>;

export type VerifyBearer = (provider: string, token: string) => Promise<BearerAnswer>;

export interface BearerDesk {
  readonly verify: VerifyBearer;
  /** The provider lists these keys no more. */
  readonly endByKeys: (provider: string, kids: ReadonlySet<string>) => void;
}

export function createBearerDesk(deps: BearerDeskDeps): BearerDesk {
  const { clock } = deps;
  const vouched = createVouched();
  /** Oldest first. By whom: a document that takes other tokens has another one say it. */
  const refused = new Map<string, { readonly until: number; readonly by: VerifyOne }>();
  const say = createThrottle(clock);
  let running = 0;
  const verify: VerifyBearer = async (id, token) => {
    const key = keyOfBearer(id, token);
    const provider = deps.providers.find(id);
    const verifyOne = provider?.verifyBearer;
    if (provider === null || verifyOne === undefined) return { kind: 'absent' };
    const before = refused.get(key);
    if (before?.by === verifyOne && clock.now() < before.until) return { kind: 'absent' };
    if (running >= MOST_AT_ONCE) return { kind: 'unavailable' };
    running++;
    const since = vouched.count();
    try {
      let answer = await recogniseIn(deps, provider, await verifyOne(token));
      // Its key was taken away in the very moment in which it was held against it.
      if (answer.kind === 'bearer' && !vouched.add(key, { provider: id, kid: answer.kid, since }))
        answer = await recogniseIn(deps, provider, await verifyOne(token));
      if (answer.kind === 'bearer') {
        const identity = { kind: 'person', person: answer.person } as const;
        return { kind: 'found', session: { key, identity, expiresAt: answer.expiresAt, lastSeenAt: 0 } };
      }
      const facts = { provider: id, reason: answer.message };
      if (answer.kind === 'unavailable') {
        if (say()) deps.log.warn({ code: 'PROVIDER_UNAVAILABLE', ...facts }, 'Bearer token cannot be checked');
        return { kind: 'unavailable' };
      }
      if (say()) deps.log.info({ code: 'CREDENTIAL_REFUSED', ...facts }, 'Bearer token refused');
      refused.delete(key);
      refused.set(key, { until: clock.now() + REFUSED_FOR_MS, by: verifyOne });
      if (refused.size > MOST_REFUSED) refused.delete(refused.keys().next().value as string);
      return { kind: 'absent' };
    } finally {
      running--;
    }
  };
  return {
    verify,
    endByKeys(provider, kids) {
      const keys = vouched.end(provider, kids);
      if (keys.length > 0) deps.onEnded(keys);
    },
  };
}

async function recogniseIn(
  { recognise }: BearerDeskDeps,
  provider: Provider,
  answer: VerifiedBearer,
): Promise<VerifiedBearer> {
  if (answer.kind !== 'bearer') return answer;
  const found = await recognise(provider, answer.person);
  return found.kind === 'person' ? { ...answer, person: found.person } : found;
}

/** True for the first few of each second: strangers must not fill the log. */
function createThrottle(clock: Clock): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    const now = Math.floor(clock.now() / 1_000);
    if (now !== second) {
      second = now;
      count = 0;
    }
    return ++count <= LINES_A_SECOND;
  };
}
