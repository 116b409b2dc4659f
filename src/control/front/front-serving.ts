/**
 * What forward-auth serves by, and its replacement while it runs: people and endpoints are opened beside the
 * old ones and take over from the next request on. Open connections are decided again by the new rules; what
 * is under way with the old ones may end in peace.
 */
import { PosternError } from '../../core/errors.ts';
import { createForwardAuth } from '../../forward-auth/serving/forward-auth.ts';
import { openPeople } from './front-people.ts';
import { restartNeeded } from './restart-needed.ts';
import type { Admission } from '../../forward-auth/serving/admission.ts';
import type { ForwardAuthDeps } from '../../forward-auth/serving/forward-auth.ts';
import type { ServeExchange } from '../../forward-auth/serving/serve.ts';
import type { Settings } from '../../forward-auth/settings.ts';
import type { FrontPeople, PeopleOptions } from './front-people.ts';

export type FrontServingDeps = Omit<PeopleOptions, 'settings'> &
  Pick<ForwardAuthDeps, 'keeper' | 'upstreams' | 'endless' | 'clock' | 'nextRequestId' | 'isEnding' | 'events'>;

export interface FrontServing {
  readonly serve: ServeExchange;
  /** For long-lived requests, about four times a second. */
  readonly tick: (monotonic: number) => void;
  /** Throws, and changes nothing, where the new settings cannot serve or take a restart. */
  readonly replace: (settings: Settings) => void;
  readonly close: () => Promise<void>;
}

/** What was begun with the old provider and pages, a code that is being redeemed say, is over by then. */
const LINGER_MS = 60_000;

interface Generation {
  readonly settings: Settings;
  readonly people: FrontPeople;
  readonly front: ReturnType<typeof createForwardAuth>;
  /** Lets go of its applications and provider, once. Its connections stay, and are asked about. */
  readonly end: () => Promise<void>;
}

export function openFrontServing(settings: Settings, deps: FrontServingDeps): FrontServing {
  // Whoever is decided about is so by the rules of now, also where the request began under others.
  const admission: Admission = {
    judge: (session) => current.people.admission.judge(session),
    admits: (session) => current.people.admission.admits(session),
  };
  let current = openGeneration(settings, deps, admission);
  /** Those that were replaced, and when each may end. */
  const replaced = new Map<Generation, number>();

  return {
    serve: (exchange, isLocalSocket) => current.front.serve(exchange, isLocalSocket),
    tick(monotonic) {
      current.front.live.tick(monotonic);
      for (const [old, endAt] of replaced) {
        old.front.live.tick(monotonic);
        if (monotonic < endAt) continue;
        void old.end();
        if (old.front.live.size === 0) replaced.delete(old);
      }
    },
    replace(next) {
      const fixed = restartNeeded(current.settings, next);
      if (fixed.length > 0)
        throw new PosternError(
          'OPERATION_REFUSED',
          `Cannot change ${fixed.join(', ')} while running: start Postern again; the old settings stay`,
        );
      const old = current;
      current = openGeneration(next, deps, admission);
      replaced.set(old, performance.now() + LINGER_MS);
    },
    async close() {
      await Promise.all([current, ...replaced.keys()].map((one) => one.end()));
    },
  };
}

function openGeneration(settings: Settings, deps: FrontServingDeps, admission: Admission): Generation {
  const people = openPeople({ ...deps, settings });
  try {
    const front = createForwardAuth({ ...deps, ...people, settings, admission });
    const release = deps.upstreams.retain(front.actions);
    let ended: Promise<void> | null = null;
    const end = (): Promise<void> => {
      release();
      return people.close();
    };
    return { settings, people, front, end: () => (ended ??= end()) };
  } catch (error) {
    void people.close();
    throw error;
  }
}
