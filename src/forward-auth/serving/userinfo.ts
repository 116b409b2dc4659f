/** `/oauth2/userinfo`: what is known of who is signed in, without tokens. */
import { HeaderBlock } from '../../wire/header-block.ts';
import { clearLines } from './clear-lines.ts';
import { FixedAnswer, NO_CACHE } from './plain-answer.ts';
import type { AuthSession } from '../auth-session.ts';
import type { SessionKeeper } from '../ports.ts';
import type { Admission } from './admission.ts';
import type { AnswerWho } from './auth-endpoint.ts';
import type { ServedRequest } from './served-request.ts';
import type { Who } from './session-chain.ts';
import type { SkipRules } from './skip-rules.ts';

export interface UserinfoDeps {
  readonly keeper: Pick<SessionKeeper, 'clear'>;
  readonly admission: Pick<Admission, 'admits'>;
  readonly skipRules: SkipRules;
}

/** It is about one person, whatever it says. */
const FRESH = [
  ['Content-Type', 'text/plain; charset=utf-8'],
  ['X-Content-Type-Options', 'nosniff'],
  ...NO_CACHE,
] as const;
const UNAUTHORIZED = new FixedAnswer(401, 'Unauthorized\n', FRESH);
const FORBIDDEN = new FixedAnswer(403, 'Forbidden\n', FRESH);
const UNAVAILABLE = new FixedAnswer(503, 'Sessions cannot be looked up right now\n', [...FRESH, ['Retry-After', '2']]);

export function createUserinfo(deps: UserinfoDeps): AnswerWho {
  return (request, who) => {
    if (who.kind === 'session' && deps.admission.admits(who.session)) {
      request.session = who.session;
      request.decision = 'enter';
      send(request, `${JSON.stringify(describe(who.session))}\n`, who);
    } else if (who.kind === 'refused') FORBIDDEN.send(request.exchange);
    else if (deps.skipRules.reasonFor(request, 'front') !== null) send(request, '{}', who);
    else if (who.kind === 'unavailable') UNAVAILABLE.send(request.exchange);
    else UNAUTHORIZED.sendWith(request.exchange, clearLines(deps.keeper, request, who));
  };
}

function send({ exchange }: ServedRequest, body: string, who: Who): void {
  const headers = new HeaderBlock();
  headers.append('Content-Type', 'application/json');
  for (const [name, value] of NO_CACHE) headers.append(name, value);
  if (who.kind === 'session') for (const cookie of who.cookies) headers.append('Set-Cookie', cookie, 'set-cookie');
  exchange.respondWhole({ status: 200, headers }, body);
}

function describe({ user, email, groups, preferredUsername, claims }: AuthSession): Record<string, unknown> {
  return {
    user,
    email,
    ...(groups.length > 0 && { groups }),
    ...(preferredUsername !== '' && { preferredUsername }),
    ...(Object.keys(claims).length > 0 && { additionalClaims: byName(claims) }),
  };
}

/** As Go writes a map. */
function byName(claims: AuthSession['claims']): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
