/** What every endpoint of the flow has at hand, made once. */
import { createAttempts, type Attempts } from '../../session/attempts.ts';
import { createSpent, type Spent } from '../../sign-in/spent.ts';
import { createCookieText } from '../cookie-text.ts';
import type { View } from '../pages/view.ts';
import type { CookiePlace } from '../ports.ts';
import type { FrontRequest } from '../front-request.ts';
import { createCsrfCookies, type CsrfCookies } from './csrf-cookie.ts';
import type { FlowDeps } from './deps.ts';
import { createDomainList } from './domain-list.ts';
import { createFlowKeys, type FlowKeys } from './keys.ts';
import { readReturnAddress } from './return-address.ts';
import { returnTarget, type TargetRules } from './return-target.ts';

export interface FlowContext extends FlowDeps {
  readonly view: View;
  readonly csrf: CsrfCookies;
  readonly keys: () => FlowKeys;
  readonly targets: TargetRules;
  readonly attempts: Attempts;
  /** States that have opened a session. */
  readonly spent: Spent;
  /** Parameters that belong to us and not to the deep link before them. */
  readonly isOurs: (name: string) => boolean;
}

/** On links of our own pages: the provider is to ask which account. */
export const SWITCH_PARAMETER = 'postern_switch';

export function createFlowContext(deps: FlowDeps, view: View): FlowContext {
  const { settings, clock, report } = deps;
  const keys = createFlowKeys(settings.cookie.secret);
  const { prefix } = settings.paths;
  const text = createCookieText(settings.cookie);
  const changeable = settings.provider.loginParameters.filter(({ allow }) => allow.length > 0);
  const ours = new Set([SWITCH_PARAMETER, ...changeable.map(({ name }) => name)]);
  return {
    ...deps,
    view,
    keys,
    csrf: createCsrfCookies({ settings: settings.cookie, prefix, text, keys, clock }),
    targets: {
      prefix,
      whitelist: createDomainList(settings.redirects.whitelist),
      hasSecureCookie: settings.cookie.secure,
      report,
    },
    attempts: createAttempts({ clock }),
    spent: createSpent(clock),
    isOurs: (name) => ours.has(name),
  };
}

/** Where the visit ends, by the `rd` of a form that was sent, else of the query. Null: that cannot be read. */
export function targetOf(context: FlowContext, request: FrontRequest, sent: URLSearchParams): string | null {
  const query = readReturnAddress(request.exchange.request.query, context.isOurs);
  if (query === undefined) return null;
  const rd = sent.get('rd');
  return returnTarget(context.targets, request, rd === null ? query : toBytes(rd));
}

/** Text as UTF-8, each byte one Latin-1 character. */
function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function placeOf(request: FrontRequest): CookiePlace {
  return { host: hostOf(request) };
}

export function hostOf({ authority }: FrontRequest): string {
  return authority.replace(/:\d+$/, '').toLowerCase();
}
