/** Why a request got what it got, as one stable code for its line in the log. */
import { NO_RULE } from '../policy/facts.ts';
import type { Decision } from '../policy/facts.ts';
import type { Judged } from '../gate/gate.ts';
import type { RefusedEntry } from '../sign-in/ports.ts';
import type { RequestContext } from './request-context.ts';

/** Code -> meaning; docs/reference/log.md is printed from it. */
export const REASONS = {
  public: 'Let in: the route is public.',
  person: 'Let in: a rule admits the person.',
  service: 'Let in: a rule admits the service.',
  token: "Let in: a rule admits the token's machine.",
  link: 'Let in: a rule admits the link that the visitor had.',
  place: 'Let in without a name, by address or client certificate.',
  'sign-in-needed': 'Asked to sign in, again, or to show more; 401 to what is no navigation.',
  'credentials-needed': '401: some machine could pass.',
  'credential-refused': '401: the password or token of a machine is wrong, unknown, revoked or expired.',
  'denied-by-rule': '403: a deny rule matches.',
  'no-rule': '403: no allow rule matches.',
  'not-admitted':
    '403: the provider, or what the document asks of it, lets the person not even sign in; no rule was asked.',
  'no-app': 'The rules let in, but there is no app for this visitor.',
  'cross-origin': "403: a WebSocket that rides on a session came from another origin's page.",
  'token-unavailable': "503: let in, but the app asks for the provider's token, and there is no fresh one.",
  'provider-token-expired':
    "Let in, but the provider's token that the app asks for has ended and cannot be renewed: sent to sign in again; 401 to what is no navigation.",
  unavailable: '503: the store does not answer.',
  busy: '503: too many passwords are being checked.',
  acme: "The answer to a CA's challenge.",
  own: "One of Postern's own pages.",
  redirect: 'Sent on to HTTPS.',
  'no-host': 'No host has this name.',
  'no-route': 'The host has no route for this path and method.',
  refused: 'Refused before any rule was asked.',
  'session-ended': 'Let in, and closed when the session was revoked.',
  'session-expired': 'Let in, and closed when the session expired.',
  'token-ended': 'Let in, and closed when the token was revoked.',
  'token-expired': 'Let in, and closed when the token expired.',
  'not-allowed': 'Let in, and closed when the rules, or who they are about, had changed.',
  'sign-in-too-old': 'Let in, and closed when the sign-in was older than `max_age` of the route.',
  'route-gone': 'Let in, and closed when its route was gone.',
  'credential-changed': "Let in, and closed when the service's password was changed.",
} as const;

export type Reason = keyof typeof REASONS;

export function reasonOf(context: RequestContext): Reason {
  const { outcome, judged, errorCode, refused } = context;
  if (refused !== null) return ofEntry(refused);
  if (errorCode === 'NO_HOST') return 'no-host';
  if (errorCode === 'NO_ROUTE') return 'no-route';
  if (outcome !== null && Object.hasOwn(REASONS, outcome)) return outcome as Reason;
  if (judged === null) return 'refused';
  if (errorCode === 'CROSS_ORIGIN') return 'cross-origin';
  if (errorCode === 'TOKEN_UNAVAILABLE') return 'token-unavailable';
  if (errorCode === 'TOKEN_EXPIRED') return 'provider-token-expired';
  if (errorCode === 'NO_APP') return 'no-app';
  return judged.credential === 'refused' && judged.decision.kind === 'challenge'
    ? 'credential-refused'
    : ofDecision(judged.decision, judged);
}

function ofEntry({ judged, decision }: RefusedEntry): Reason {
  if (judged === null) return 'not-admitted';
  return decision === 'deny' ? ofRefusal(judged.rule) : 'sign-in-needed';
}

function ofDecision(decision: Judged['decision'], judged: Judged): Reason {
  switch (decision.kind) {
    case 'allow':
      return ofAllow(decision, judged);
    case 'deny':
      return ofRefusal(decision.rule);
    case 'sign-in':
      return 'sign-in-needed';
    case 'challenge':
      return 'credentials-needed';
    default:
      return decision.kind;
  }
}

function ofRefusal(rule: string): Reason {
  return rule === NO_RULE ? 'no-rule' : 'denied-by-rule';
}

function ofAllow({ rule }: Decision & { kind: 'allow' }, { identity }: Judged): Reason {
  if (rule === 'public') return 'public';
  return identity.kind === 'anonymous' ? 'place' : identity.kind;
}
