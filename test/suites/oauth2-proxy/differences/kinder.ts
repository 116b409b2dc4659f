/** Differences in what people and programs meet. */
import { ANY, NONE, NO_CACHE, answer, facet, once, withSignIn } from './difference.ts';
import type { Difference } from './difference.ts';

export const KINDER: readonly Difference[] = [
  {
    id: 'one-small-cookie',
    original: 'a session is its cookies, and as many as it takes: 15 for 400 groups',
    postern: 'one cookie of less than 100 bytes',
    reason: 'no 431, no `proxy_buffer_size`; the stateless mode (sealed, split cookies) is there for those who need it',
    where: [
      facet(/^cookie-large\/login · sign-in callback$/, /^set-cookie$/, {
        postern:
          /^_oauth2_proxy=<value>; [^\n]*\n_oauth2_proxy_csrf=; [^\n]*\n__Host-_oauth2_proxy_<request>_csrf=; [^\n]*$/,
      }),
      facet(/^cookie-large\/login · GET \/oauth2\/sign_in$/, /^set-cookie$/, { postern: /^_oauth2_proxy=; [^\n]*$/ }),
    ],
  },
  {
    id: 'a-cookie-for-each-sign-in',
    original: 'one cookie for the sign-in under way; the callback clears it, then sets that of the session',
    postern: 'beside it one for each, with the prefix `__Host-` where no domain is set; the session is set first',
    reason: 'any number of tabs, no neighbour host can plant one, and nginx hands on the first Set-Cookie alone',
    where: [
      facet(/ callback$|\/|start/, /^set-cookie$/, {
        original: /^(?!_front)[^\n]*(?<!_<request>)_csrf=/,
        postern: withSignIn,
      }),
      facet(/^(?:cookie-(?:per-request|secure-prefix)|callbacks)\/.* callback$/, /^set-cookie$/, {
        original: /<request>/,
        postern: (original) => original.split('\n').toReversed().join('\n'),
      }),
    ],
  },
  {
    id: 'cleared-once',
    original: 'a bad cookie is cleared twice in one answer',
    postern: 'once',
    reason: 'nothing is lost',
    where: [facet(ANY, /^set-cookie$/, { original: /=; [^\n]*\n/, postern: once })],
  },
  {
    id: 'spent-cookie-cleared',
    original: 'a sign-in that fails leaves its cookie behind',
    postern: 'it is cleared with the answer',
    reason: 'it is of no use any more',
    where: [
      facet(/ callback$/, /^set-cookie$/, {
        original: NONE,
        postern: /^_oauth2_proxy_csrf=; [^\n]*\n__Host-_oauth2_proxy_<request>_csrf=; [^\n]*$/,
      }),
    ],
  },
  {
    id: 'tabs-together',
    original: 'of two sign-ins in one browser the first to end spoils the other: 403',
    postern: 'both end where they began; and who is signed in already, by another tab or the back button, just goes on',
    reason: 'the most frequent question about oauth2-proxy (#817, #1451, #2383)',
    where: [
      answer(/^cookie-options\/two-tabs · (?:first|second) callback$/, 403, 302),
      answer(
        /^cookie-options\/two-tabs · cookies after both starts$/,
        '_front_csrf x 1',
        /^_front_<request>_csrf x 2, _front_csrf x 1$/,
      ),
      answer(/^cookie-options\/two-tabs · cookies at the end$/, '', /^_front x 1$/),
      answer(/^minimal\/callback-replay · again$/, 403, 302),
    ],
  },
  {
    id: 'as-many-as-said',
    original: '`cookie_csrf_per_request_limit=2` keeps three',
    postern: 'two',
    reason: 'it is the limit',
    where: [answer(/^cookie-per-request\/many-tabs · cookies$/, '_oauth2_proxy_<request>_csrf x 3', /x 2$/)],
  },
  {
    id: 'a-planted-cookie-is-passed-over',
    original: 'of two cookies of its name the first counts',
    postern: 'the one that is a session; where both are, neither',
    reason:
      'a neighbour host that can set cookies for the domain can neither sign people out nor make them somebody else',
    where: [
      answer(/^minimal\/cookie-names · bogus first$/, 401, 202),
      answer(/^minimal\/two-sessions · (?:alice|bob) first$/, 202, 401),
    ],
  },
  {
    id: 'cookies-without-quotes',
    original: 'a cookie value in quotes is taken',
    postern: 'it is not: 401',
    reason: 'no browser adds quotes',
    where: [answer(/^minimal\/cookie-names · quoted$/, 202, 401)],
  },
  {
    id: 'cookie-domain-as-browsers-read-it',
    original: '`.app.example.com` is not taken for the host app.example.com',
    postern: 'it is: the dot says nothing (RFC 6265 section 5.2.3)',
    reason: 'the narrower domain is the one that was meant',
    where: [
      facet(/^cookie-options\//, /^set-cookie$/, {
        original: /; Domain=example\.com; /,
        postern: /; Domain=app\.example\.com; /,
      }),
    ],
  },
  {
    id: 'faults-by-whose-they-are',
    original:
      'parameters that cannot be read, and a person whom the provider’s own claims keep out, are 500; a form may have 10 MB',
    postern: '400 and 403; 64 kB, above which 413 is the answer',
    reason: 'a 5xx wakes somebody up',
    where: [
      answer(/^(?:minimal\/sign-in-rd-broken|htpasswd(?:-groups)?\/broken-form)$/, 500, 400),
      answer(/^(?:places-of-rd\/broken-sign_in-GET|forms-of-callback\/broken-form · callback)$/, 500, 400),
      answer(/^odd-requests\/long-form-sign_in$/, 200, 413),
      answer(/^odd-requests\/long-form-start$/, 302, 413),
      answer(/^odd-requests\/long-form-callback$/, 500, 413),
      answer(/^minimal\/callback-broken$|^callbacks\/state-changed · callback$/, 500, 403),
      answer(/\/(?:login-)?unverified · sign-in callback$/, 500, 403),
    ],
  },
  {
    id: 'queries-in-pieces',
    original:
      'a semicolon anywhere in a query, or a broken escape in one of its parameters, is 400 or 500 for the request',
    postern: 'what is needed is read, and signing out works all the same',
    reason: 'front proxies paste addresses into `rd` as they came, and providers and trackers add parameters',
    where: [
      answer(/^places-of-rd\/(?:semicolon|semicolon-after|broken-other)-sign_in-GET$/, 500, 200),
      answer(/^places-of-rd\/(?:semicolon|semicolon-after|broken-other)-start-GET$/, 400, 302),
      answer(/^places-of-rd\/(?:semicolon|semicolon-after|broken-other)-start-GET · lands$/, '(none)', /^302 at \//),
      answer(/^places-of-rd\/(?:semicolon|semicolon-after|broken-other|broken)-sign_out-GET$/, 500, 302),
      answer(/^forms-of-callback\/(?:semicolon|broken-other) · callback$/, 500, 302),
    ],
  },
  {
    id: 'json-for-json-clients',
    original: 'pages also for clients that accept JSON alone, when a sign-in or an application fails',
    postern: 'JSON with the status and the request id',
    reason: 'a program cannot read a page',
    where: [
      facet(
        /^(?:minimal\/callback-json|methods\/json-callback(?:-alice)?|allowed-groups\/denied-json · sign-in callback|upstreams\/gone-json)$/,
        /^(?:content-type|body)$/,
        { postern: /^(?:application\/json|\{"status":\d{3},"message":"[^"]+","request_id":"<id>"\}\s*)$/ },
      ),
    ],
  },
  {
    id: 'programs-get-no-page',
    original: 'a program that asks for the sign-in page, or to which a front proxy shows it, gets the page, with 200',
    postern: '401 and `{}`',
    reason: 'nginx hands on that status in place of the 401 that led there',
    where: [answer(/^(?:front(?:-anybody)?\/sign-in-program|methods\/json-sign_in(?:-alice)?)$/, 200, 401)],
  },
  {
    id: 'web-sockets-are-not-sent-away',
    original: 'a WebSocket without a session is answered by the page, or sent to the provider',
    postern: '401',
    reason: 'no WebSocket follows a redirect',
    where: [answer(/^skip-button\/websocket$/, 302, 401), answer(/^upstreams\/websocket-stranger$/, 403, 401)],
  },
  {
    id: 'web-sockets-over-unix-sockets',
    original: 'a WebSocket to an application on a unix socket is 502',
    postern: 'it works',
    reason: 'it is a fault of the original',
    where: [answer(/^unix-upstream\/websocket$/, 502, 101)],
  },
  {
    id: 'wrong-password-shows-the-form',
    original: 'with `skip_provider_button` a wrong password leads to the provider',
    postern: '401 and the form again',
    reason: 'people want to try again',
    where: [answer(/^htpasswd-no-button\/form-wrong$/, 302, 401)],
  },
  {
    id: 'columns-of-the-emails-file',
    original: 'one line with more columns than the first, and the file lets nobody in',
    postern: 'the first column counts, line by line',
    reason: 'the rest is for people',
    where: [
      answer(/^emails-columns\/(?:alice|dave) · sign-in callback$/, 403, 302),
      answer(/^emails-columns\/(?:alice|dave) · GET \/oauth2\/auth$/, 401, 202),
      answer(/^emails-columns\/(?:alice|dave) · GET \/x$/, 403, 200),
    ],
  },
  {
    id: 'https-of-its-own',
    original: 'with a certificate of its own and `cookie_secure=false` the redirect address is http',
    postern: 'https, as it was reached',
    reason: 'the provider would send people to a port that is closed',
    where: [facet(/^https\//, /^location$/, { original: /redirect_uri=http%3A/, postern: /redirect_uri=https%3A/ })],
  },
  {
    id: 'sign-out-without-a-token',
    original: 'a placeholder `{id_token}` without a session stays as it is, or breaks the connection off',
    postern: 'the parameter is left out',
    reason: 'a provider takes no literal placeholder',
    where: [
      answer(/^trusted-direct\/sign-out-token$/, 'closed without an answer', 302),
      facet(/^sign-out\/token-stranger · sign out$/, /^location$/, { postern: /^<provider>\/logout$/ }),
    ],
  },
  {
    id: 'identity-where-it-belongs',
    original:
      'identity fields on early hints (103) instead of the answer, beside those of the same name that the application sent, and on errors of its own',
    postern: 'on the answer of the application, once, in place of its own',
    reason: 'a front proxy copies them',
    where: [
      facet(/^headers\/app-early-hints$/, /^interim 1$/, { postern: /^103\nlink: [^\n]*$/ }),
      facet(/^headers\/app-early-hints$/, /^(?:gap-auth|authorization|x-auth-request-.*)$/, { original: NONE }),
      facet(/^headers\/app-claims-itself$/, /^(?:gap-auth|x-auth-request-user)$/, { postern: /^[^\n]*alice[^\n]*$/ }),
      facet(/^(?:upstreams\/gone(?:-json)?|slow-upstream\/slow|pages\/gone)$/, /^gap-auth$/, { postern: NONE }),
    ],
  },
  {
    id: 'own-errors-are-not-kept',
    original: 'a 403 or 502 page may be kept by caches',
    postern: 'no-cache, as on the other pages',
    reason: 'the next answer may be another',
    where: [
      facet(
        /^(?:minimal\/no-host|upstreams\/gone|slow-upstream\/slow|pages\/gone)|\/(?:basic|admin)-app$| · alice at the application$| · application$/,
        NO_CACHE,
        {
          original: NONE,
          postern: /^(?:no-cache, no-store, must-revalidate, max-age=0|Thu, 01 Jan 1970 00:00:00 UTC|0|no-store)$/,
        },
      ),
    ],
  },
  {
    id: 'open-paths-leave-cookies-alone',
    original: 'a bad session cookie is cleared also by an application that needs no sign-in',
    postern: 'it is left for the next page that needs one',
    reason: 'the answers of an application stay its own',
    where: [facet(/^skip\/get-bad-cookie$/, /^set-cookie$/, { postern: NONE })],
  },
  {
    id: 'own-host-needs-no-entry',
    original:
      'an absolute address of the very host that the visitor is on leads to `/`, unless `whitelist_domains` names it',
    postern: 'it is taken: the same scheme (or https), host and port',
    reason: 'the same address as a path is taken by both',
    where: [
      facet(/^front-forms\/host-(?:\[::1\]:8443|wiki\.example\.com:443)-sign-in$/, /^body$/, {
        postern: /, then https:\/\/(?:\[::1\]:8443|wiki\.example\.com:443)\/$/,
      }),
      facet(/^claim-names\/(?:rd-own-host|login-own-host)|^hosts\/other-domain · sign-in$/, /^(?:location|body)$/, {
        postern: /^(?:sign-in page: [^\n]*, then )?https?:\/\/app\.(?:example\.com|other\.test)\/x(?:\?[^\n]*)?$/,
      }),
    ],
  },
  {
    id: 'no-way-in-circles',
    original: 'X-Auth-Request-Redirect may name an endpoint below `/oauth2`, and the sign-in ends there',
    postern: 'it ends at `/`',
    reason: 'nginx, as it is documented, names whatever was asked for, and signing in would sign out again',
    where: [
      facet(/^places-of-rd\/header-own-(?:sign_in|sign_out|start)-GET(?: · lands)?$/, /^(?:location|body|fact)$/, {
        original: /\/oauth2\/sign_out$/,
        postern: /^(?:sign-in page: provider at \/oauth2\/start, then |302 at )?\/$/,
      }),
    ],
  },
  {
    id: 'parameters-of-the-application',
    original:
      'a page of the application that needs a sign-in leads, after it, to its own parameter `rd`, where it has one',
    postern: 'to the page itself; `rd` counts below `/oauth2` alone',
    reason: 'people come back to the page that they wanted',
    where: [facet(/^methods\/rd-of-the-app$/, /^body$/, { postern: /, then \/x\?rd=%2Fy$/ })],
  },
  {
    id: 'each-group-of-a-rewrite',
    original:
      'every group that a `rewriteTarget` of the structured file names, such as `$2` or `$0`, is the first one; one that begins with no slash is 400',
    postern: 'it is the one that is named; the slash is added',
    reason: 'both are faults of the original',
    where: [
      facet(/^alpha-forms\/swap$/, /^application$/, { original: /^GET \/a\/a\?/, postern: /^GET \/b\/a\?/ }),
      facet(/^rewrites(?:-raw)?\/whole\/a\/b$/, /^application$/, { postern: /^GET \/pre\/whole\/a\/b$/ }),
      answer(/^rewrites(?:-raw)?\/rel\/a$/, 400, 200),
    ],
  },
  {
    id: 'proto-of-the-nearest',
    original:
      'X-Forwarded-Proto in capitals, as a list, of another word, or not there: no address of that host is made, people land on the path alone, `/` most often',
    postern:
      'in any letters; of a list the last; another word is as good as none, and then `cookie_secure` says it: https, or as the connection came',
    reason: 'people come back to the page that they wanted',
    where: [
      facet(/^front-forms\/proto-(?:HTTPS|https,http|wss|ftp|)-sign-in$/, /^body$/, {
        postern: /, then https?:\/\/wiki\.example\.com\/$/,
      }),
      facet(/^forwarded-on\/X-Forwarded-Host-(?:sign-in|app)$/, /^body$/, {
        postern: /, then https:\/\/wiki\.example\.com\/(?:own)?$/,
      }),
    ],
  },
  {
    id: 'original-url-too',
    original: 'X-Original-URL and X-Original-URI are not read',
    postern: 'they say of a trusted proxy what X-Forwarded-Uri says',
    reason: 'ingress-nginx and the documentation of nginx know no other',
    where: [facet(/^forwarded-on\/X-Original-UR[IL]-(?:sign-in|app)$/, /^body$/, { postern: /, then \/orig$/ })],
  },
  {
    id: 'addresses-in-brackets',
    original: 'an IPv6 address of the client in brackets is one with a port alone',
    postern: 'without a port as well',
    reason: 'it is the same address',
    where: [answer(/^client-ip-[^/]+\/[^/]+-\[2001:db8::1\]$/, 401, 202)],
  },
  {
    id: 'basic-as-the-rfc-has-it',
    original: '`Basic` with its padding left out, or behind two blanks, is 401',
    postern: 'it is taken (RFC 9110 section 11.2)',
    reason: 'clients write both',
    where: [answer(/^htpasswd-forms\/basic-(?:unpadded|two-blanks)$/, 401, 202)],
  },
  {
    id: 'placeholder-in-escapes',
    original: '`%7Bid_token%7D` in a parameter of `rd` stays as it is',
    postern: 'it is the placeholder as browsers and libraries escape it',
    reason: 'a provider takes no literal placeholder',
    where: [facet(/^backend-logout-gone\/encoded · sign out$/, /^location$/, { postern: /hint=<ID token of alice>$/ })],
  },
  {
    id: 'a-403-is-no-sign-out',
    original:
      'where Traefik’s `errors` middleware asks for `/oauth2/sign_in` in place of a 403, the page signs out who was signed in',
    postern: 'they see who may not enter, with another account to choose, and stay signed in; with 403',
    reason: 'signing in again would lead to the same 403; `&status={status}` in the query makes it certain',
    where: [answer(/^errors-middleware\/alice(?:-status)?$/, 200, 403)],
  },
  {
    id: 'no-web-sockets-where-none-are-wanted',
    original: '`proxy_websockets=false` has no effect',
    postern: 'the application gets such a request without its upgrade',
    reason: 'it is what the setting says',
    where: [answer(/^streams-flush\/websocket$/, 101, 200)],
  },
  {
    id: 'tokens-stay-on-the-server',
    original: '`session_cookie_minimal` leaves the tokens out of the session, so that `{id_token}` is empty',
    postern: 'the cookie is small anyway, and the session has them',
    reason: 'signing out at the provider works; in the stateless mode they are left out',
    where: [facet(/^session-minimal\/sign-out-token$/, /^location$/, { postern: /<ID token of alice>$/ })],
  },
  {
    id: 'answers-during-an-upload',
    original: 'an answer that the application gives before the end of a body waits for that end',
    postern: 'it goes out as it comes',
    reason: 'an application that refuses an upload need not wait for all of it',
    where: [answer(/^streams\/upload-pieces · answer before the end of the body$/, 'false', /^true$/)],
  },
];
