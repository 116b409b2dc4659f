/**
 * The one decision about a request, for `/oauth2/auth` and for proxy mode: who comes, whether the settings
 * let them in, whether the constraints of the query hold, or whether the request needs nobody. Undecidable
 * is no.
 */
import type { Admission } from './admission.ts';
import type { ReadConstraints } from './constraints.ts';
import type { ServedRequest } from './served-request.ts';
import type { Who } from './session-chain.ts';
import type { AskedAbout, SkipRules } from './skip-rules.ts';

export type Decision =
  /** `request.session` says who. */
  | 'enter'
  /** A skip rule lets it through; nobody's identity goes along. */
  | 'pass'
  | 'sign-in'
  /** Signed in, and the settings keep this person out. */
  | 'deny'
  /** Signed in, and a constraint of the query does not hold. */
  | 'forbid'
  /** A bearer that does not hold. */
  | 'refuse'
  /** The store or the provider does not answer: neither access nor a sign-in. */
  | 'unavailable';

export interface DoorDeps {
  readonly admission: Pick<Admission, 'admits'>;
  readonly constraints: ReadConstraints;
  readonly skipRules: SkipRules;
}

export type Decide = (request: ServedRequest, who: Who, about: AskedAbout) => Decision;

export function createDoor({ admission, constraints, skipRules }: DoorDeps): Decide {
  const orPass = (request: ServedRequest, about: AskedAbout, otherwise: Decision): Decision => {
    const reason = skipRules.reasonFor(request, about);
    request.skipReason = reason;
    return reason === null ? otherwise : 'pass';
  };
  const decide: Decide = (request, who, about) => {
    switch (who.kind) {
      case 'session': {
        const { session } = who;
        if (!admission.admits(session)) return orPass(request, about, 'deny');
        request.session = session;
        const wanted = constraints(request.exchange.request.query);
        return wanted === null || wanted.allows(session) ? 'enter' : 'forbid';
      }
      case 'nobody':
        return orPass(request, about, 'sign-in');
      case 'unavailable':
        return orPass(request, about, 'unavailable');
      default:
        return 'refuse';
    }
  };
  return (request, who, about) => (request.decision = decide(request, who, about));
}
