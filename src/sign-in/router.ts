/**
 * Everything that Postern answers itself: `/.postern/*` on every host, and the sign-in host's start
 * page. A small table instead of a router: it loads in no time. What is not in it is 404; a store
 * that fails is 503 and signs nobody out.
 */
import { PosternError } from '../core/errors.ts';
import { beginSignIn, handleStart } from './begin.ts';
import {
  answerError,
  answerPage,
  answerRedirect,
  createContext,
  createFieldReader,
  toResponse,
  type Context,
} from './context.ts';
import { leadFromDot } from './dotted-host.ts';
import { mintFormToken } from './form-guard.ts';
import { handleBackChannelLogout } from './back-channel.ts';
import { createCallbackLimit } from './callback-limit.ts';
import { createLongTickets } from './flow.ts';
import { createHeardLogouts } from './heard-logouts.ts';
import { handleLand } from './land.ts';
import { openLink, showLink } from './link.ts';
import { errorPage, type ErrorFacts } from './pages/error-page.ts';
import { PAGE_SCRIPT_PATH, sendPageScript } from './page-script.ts';
import { namedProviders } from './choose.ts';
import { providerNameOf } from './pages/account-provider.ts';
import { homePage } from './pages/session-pages.ts';
import { postSetPassword, showSetPassword } from './set-password.ts';
import { postPasskey } from './passkey-sign-in.ts';
import { postSecondStep, showSecondStep } from './second-step.ts';
import { postSecurity, showSecurity } from './security.ts';
import { postSignIn, showSignIn } from './sign-in.ts';
import { signInSession } from './sign-in-session.ts';
import { CALLBACK_PATH } from './callback-path.ts';
import { handleCallback } from './provider-flow.ts';
import { postSignOut, showSignedOut, showSignOut, signOutTargets } from './sign-out.ts';
import { showJwks } from './jwks.ts';
import { showUserinfo } from './userinfo.ts';
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import type { Texts } from './texts/texts.ts';
import type { SignInDeps, SignInMemory, SignInRequest } from './ports.ts';

type Handler = (context: Context) => Response | Promise<Response>;
type Methods = Readonly<Record<string, Handler>>;

const STORE_RETRY_SECONDS = 5;

const SIGN_IN_HOST: Readonly<Record<string, Methods>> = {
  '/': { GET: showHome, HEAD: showHome },
  '/robots.txt': { GET: refuseRobots, HEAD: refuseRobots },
  '/.postern/sign-in': { GET: showSignIn, HEAD: showSignIn, POST: postSignIn },
  '/.postern/second-step': { GET: showSecondStep, HEAD: showSecondStep, POST: postSecondStep },
  '/.postern/passkey': { POST: postPasskey },
  [PAGE_SCRIPT_PATH]: { GET: sendPageScript, HEAD: sendPageScript },
  '/.postern/security': { GET: showSecurity, HEAD: showSecurity, POST: postSecurity },
  '/.postern/sign-out': { GET: showSignOut, HEAD: showSignOut, POST: postSignOut },
  '/.postern/signed-out': { GET: showSignedOut, HEAD: showSignedOut },
  '/.postern/set-password': { GET: showSetPassword, HEAD: showSetPassword, POST: postSetPassword },
  '/.postern/userinfo': { GET: showUserinfo, HEAD: showUserinfo },
  '/.postern/jwks.json': { GET: showJwks, HEAD: showJwks },
  '/.postern/backchannel-logout': { POST: handleBackChannelLogout },
  [CALLBACK_PATH]: { GET: handleCallback },
};

/** Not there where the document has no local accounts: a left-over link or passkey must not open a session. */
const LOCAL_ONLY: ReadonlySet<string> = new Set([
  '/.postern/second-step',
  '/.postern/passkey',
  '/.postern/set-password',
]);

const APP_HOST: Readonly<Record<string, Methods>> = {
  '/.postern/start': { GET: handleStart },
  '/.postern/land': { GET: handleLand },
  '/.postern/link': { GET: showLink, HEAD: showLink, POST: openLink },
  '/.postern/sign-out': { GET: showSignOut, HEAD: showSignOut, POST: postSignOut },
  '/.postern/userinfo': { GET: showUserinfo, HEAD: showUserinfo },
  '/.postern/jwks.json': { GET: showJwks, HEAD: showJwks },
};

export interface SignIn {
  /** Answers a request to one of Postern's own paths. Never rejects. */
  readonly handle: (request: SignInRequest) => Promise<Response>;
  /** Answers a request to an app that signing in could help: a redirect for navigations, else 401 JSON. Never rejects. */
  readonly beginSignIn: (request: SignInRequest) => Promise<Response>;
}

export function createSignIn(outside: SignInDeps): SignIn {
  const memory: SignInMemory = {
    longTickets: createLongTickets(),
    callbacks: createCallbackLimit(outside.clock),
    logouts: createHeardLogouts(outside.clock),
  };
  const deps = { ...outside, ...memory };
  return {
    handle: (request) => guarded(deps, request, () => route(createContext(deps, request))),
    beginSignIn: (request) => guarded(deps, request, () => beginSignIn(deps, request)),
  };
}

function route(context: Context): Response | Promise<Response> {
  const { request, url } = context;
  // None of our paths is ever the script of a service worker: one would stand between the visitor and our pages.
  if (context.headers.get('service-worker') !== undefined) return answerError(context, 403, 'ACCESS_DENIED');
  const table = request.onSignInHost ? SIGN_IN_HOST : APP_HOST;
  // One callback a provider; which one is read there.
  const path = url.path.startsWith(CALLBACK_PATH) ? CALLBACK_PATH : url.path;
  const methods = Object.hasOwn(table, path) ? table[path] : undefined;
  const isMissing = methods === undefined || (LOCAL_ONLY.has(path) && !context.settings.hasLocalAccounts);
  if (isMissing) return answerError(context, 404, 'NO_ROUTE');
  const handler = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
  const led = request.onSignInHost && path !== CALLBACK_PATH ? leadFromDot(context, url.path + url.query) : null;
  if (led !== null) return led;
  if (handler !== undefined) return handler(context);
  const response = answerError(context, 405, 'BAD_REQUEST');
  response.headers.set('Allow', Object.keys(methods).join(', '));
  return response;
}

async function guarded(
  deps: SignInDeps,
  request: SignInRequest,
  answer: () => Response | Promise<Response>,
): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    deps.report?.({ kind: 'failed', requestId: request.requestId, error });
    const isStore = error instanceof PosternError && error.code === 'STORE_UNAVAILABLE';
    const facts = isStore
      ? { status: 503, code: 'STORE_UNAVAILABLE', retryAfter: STORE_RETRY_SECONDS }
      : { status: 500, code: 'INTERNAL' };
    return toResponse(errorPage({ ...facts, ...lookFor(deps, request) }));
  }
}

/** Who asks, and whose page it is. Nothing of it is worth another failure. */
function lookFor(
  deps: SignInDeps,
  { headers, requestId }: SignInRequest,
): Pick<ErrorFacts, 'requestId' | 'accept' | 'acceptLanguage' | 'brand'> {
  const fields = createFieldReader(headers);
  const look = {
    requestId,
    accept: fields.get('accept') ?? null,
    acceptLanguage: fields.get('accept-language') ?? null,
  };
  try {
    return { ...look, brand: deps.settings().brand };
  } catch {
    return look;
  }
}

function showHome(context: Context): Response {
  const { deps, request, texts, query } = context;
  const session = signInSession(context);
  if (session === null) return answerRedirect(303, '/.postern/sign-in');
  const main = homePage({
    texts,
    person: session.person,
    expiresAt: session.expiresAt,
    apps: (deps.appsFor?.(session.person, request.ip) ?? []).filter((app) => /^https?:\/\//.test(app.url)),
    formToken: mintFormToken(deps, session.key),
    notice: noticeOf(texts, query.get('notice')),
    isLocal: session.person.provider === LOCAL_PROVIDER,
    providerName: providerNameOf(texts, session.person.provider, namedProviders(context)),
  });
  return answerPage(context, 200, { title: texts.home.title, main }, { formAction: signOutTargets(context, session) });
}

function noticeOf(texts: Texts, name: string | null): string | null {
  if (name === 'password-set') return texts.home.passwordSet;
  return name === 'recovery-used' ? texts.security.recoveryUsed : null;
}

function refuseRobots(): Response {
  const headers: [string, string][] = [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Cache-Control', 'max-age=86400'],
  ];
  return toResponse({ status: 200, headers, body: 'User-agent: *\nDisallow: /\n' });
}
