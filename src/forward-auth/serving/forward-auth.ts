/** Joins the parts of serving: from settings, a keeper of sessions, a provider and a flow to one function. */
import { createAcceptedHeads } from './accepted-head.ts';
import { createAppGate } from './app-gate.ts';
import { createAuthEndpoint } from './auth-endpoint.ts';
import { createBearers } from './bearer.ts';
import { createConstraints } from './constraints.ts';
import { createDoor } from './door.ts';
import { createForwardEndpoint } from './forward-endpoint.ts';
import { createFrontTrust } from './front-trust.ts';
import { LiveRequests } from './live-requests.ts';
import { createServe } from './serve.ts';
import { createSessionChain } from './session-chain.ts';
import { createSessionRefresh } from './session-refresh.ts';
import { createSkipRules } from './skip-rules.ts';
import { createUserinfo } from './userinfo.ts';
import type { ProxyAction } from '../../config/document/actions.ts';
import type { Clock } from '../../core/clock.ts';
import type { Upstreams } from '../../upstream/forward.ts';
import type { ExchangeOutcome } from '../../wire/exchange.ts';
import type { AuthProvider, Flow, SessionKeeper } from '../ports.ts';
import type { Settings } from '../settings.ts';
import type { Admission } from './admission.ts';
import type { Htpasswd } from './htpasswd.ts';
import type { ServeExchange } from './serve.ts';
import type { Endless } from '../../wire/endless.ts';
import type { ServedRequest } from './served-request.ts';
import type { RefreshOutcome } from './session-refresh.ts';

export interface ForwardAuthDeps {
  readonly settings: Settings;
  readonly keeper: SessionKeeper;
  readonly provider: AuthProvider;
  readonly flow: Flow;
  readonly robots?: string | null;
  readonly admission: Admission;
  readonly htpasswd: Htpasswd | null;
  readonly upstreams: Upstreams;
  /** Tunnels and event streams, to end them with the program. */
  readonly endless: Endless<object>;
  readonly clock: Clock;
  readonly nextRequestId: (said: string | undefined) => string;
  /** Null: not ending. */
  readonly isEnding: () => boolean;
  readonly events: ForwardAuthEvents;
}

export interface ForwardAuthEvents {
  readonly onBegin: () => void;
  readonly onEnd: (request: ServedRequest, outcome: ExchangeOutcome) => void;
  readonly onDefect: (request: ServedRequest, error: unknown) => void;
  readonly onRefresh: (outcome: RefreshOutcome, message: string, request: ServedRequest) => void;
  readonly onUnknownMethod: (request: ServedRequest) => void;
  readonly onBearerRefused: (request: ServedRequest, message: string) => void;
}

export interface ForwardAuth {
  readonly serve: ServeExchange;
  readonly live: LiveRequests;
  /** Apps whose pools are to be kept. */
  readonly actions: readonly ProxyAction[];
}

export function createForwardAuth(deps: ForwardAuthDeps): ForwardAuth {
  const { settings, keeper, provider, flow, admission, htpasswd, clock, events } = deps;
  const { now } = clock;
  const skipRules = createSkipRules(settings.skip, settings.trust, events.onUnknownMethod);
  const constraints = createConstraints(settings.skip.allowQuerySemicolons);
  const decide = createDoor({ admission, constraints, skipRules });
  const live = new LiveRequests({ keeper, admission, endless: deps.endless, now });
  const app = createAppGate({ settings, keeper, decide, flow, upstreams: deps.upstreams, live, now });
  const chain = createSessionChain({
    keeper,
    refresh: createSessionRefresh({
      keeper,
      provider,
      clock,
      refreshMs: settings.cookie.refreshMs,
      onOutcome: events.onRefresh,
    }),
    bearer: settings.bearer,
    bearers: createBearers(provider, clock),
    htpasswd,
    onRefused: events.onBearerRefused,
  });
  const { deniedStatus } = settings.compat;
  const heads = createAcceptedHeads(settings.responseHeaders, now);
  const serve = createServe({
    settings,
    trust: createFrontTrust(settings.trust),
    chain,
    check: createAuthEndpoint({ keeper, decide, heads, deniedStatus }),
    forward: createForwardEndpoint({
      settings,
      keeper,
      decide,
      heads: createAcceptedHeads(settings.responseHeaders, now, 200),
      flow,
    }),
    userinfo: createUserinfo({ keeper, admission, skipRules }),
    app: app.answer,
    flow,
    robots: deps.robots ?? null,
    notReady: () => notReady(deps),
    nextRequestId: deps.nextRequestId,
    onBegin: events.onBegin,
    onEnd(request, outcome) {
      live.end(request);
      events.onEnd(request, outcome);
    },
    onDefect: events.onDefect,
  });
  return { serve, live, actions: app.table.actions };
}

async function notReady({ keeper, provider, isEnding }: ForwardAuthDeps): Promise<string | null> {
  if (isEnding()) return 'it is ending';
  if (!provider.isReady()) return 'the provider has not answered yet';
  return (await keeper.isReady()) ? null : 'the session store does not answer';
}
