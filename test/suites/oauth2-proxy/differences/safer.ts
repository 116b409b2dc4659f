/** Differences in what a session, a redirect, a field or a path is worth. */
import {
  ANY,
  NONE,
  PAGE_FIELDS,
  PKCE,
  WRITTEN,
  answer,
  facet,
  withParameters,
  withoutOwnCookie,
} from './difference.ts';
import type { Difference } from './difference.ts';

export const SAFER: readonly Difference[] = [
  {
    id: 'pkce-and-nonce',
    original: 'PKCE only with `code_challenge_method`, a nonce only with `insecure_oidc_skip_nonce=false`',
    postern: 'both, unless the settings say otherwise',
    reason: 'a stolen code or a swapped ID token is then worth nothing',
    where: [
      facet(ANY, /^location$/, {
        original: /^<provider>\/.*client_id=/,
        postern: withParameters(...PKCE, 'nonce=<nonce>'),
      }),
      facet(/^alpha\//, /^location$/, { original: /^<provider>\/.*client_id=/, postern: withParameters(...PKCE) }),
      // Another method is configured, or no provider has announced one.
      facet(/^(?:wishes|no-discovery)\//, /^location$/, {
        original: /^<provider>\/.*client_id=/,
        postern: withParameters('nonce=<nonce>'),
      }),
    ],
  },
  {
    id: 'signed-out-is-out',
    original: 'a cookie that was copied before signing out stays good until it expires',
    postern: 'the session ended on the server: 401',
    reason: 'signing out has to mean something',
    where: [answer(/\/sign-out-then-cookie · kept cookie$/, 202, 401)],
  },
  {
    id: 'a-ticket-anew',
    original: 'with Redis, a second sign-in in one browser keeps the ticket of the first',
    postern: 'each sign-in has a session of its own',
    reason: 'a planted ticket would become the session of whoever signs in (session fixation, oauth2-proxy #3252)',
    where: [answer(/^redis\/login-twice · ticket$/, 'the same', /^another$/)],
  },
  {
    id: 'outage-is-no-sign-out',
    original: 'while Redis is down, everybody’s cookie is cleared, with 401 and 500; `/ready` shows the address',
    postern: '503 with Retry-After, cookies stay, and `/ready` says no more than that',
    reason: 'an outage ends when it ends, not when everybody has signed in again',
    where: [
      answer(/^redis-down\/down · GET \/oauth2\/(?:auth|userinfo)$/, 401, 503),
      answer(/^redis-down\/down · GET \/x$/, 403, 503),
      answer(/^redis-down\/down · (?:GET \/oauth2\/sign_out|sign-in callback)$/, 500, 503),
      facet(/^redis-down\/down · GET \/ready$/, /^body$/, { postern: /^error: the session store does not answer\s*$/ }),
    ],
  },
  {
    id: 'own-cookies-stay',
    original: 'the application gets the cookies of oauth2-proxy',
    postern: 'it gets all but those',
    reason: 'whoever reads the requests or logs of an application could be anybody who signed in (oauth2-proxy #1993)',
    where: [facet(ANY, /^application cookie$/, { postern: withoutOwnCookie })],
  },
  {
    id: 'unreadable-rule-denies',
    original: '`allowed_groups=`, `allowed_groups=%zz` and `allowed_groups=/a;x=1` restrict nobody',
    postern: '403',
    reason: 'a rule that cannot be read, or whose variable was empty, must not open the door',
    where: [
      answer(
        /^constraints\/(?:group-(?:empty|commas|no-equals|bad-percent|semicolon|semicolon-before)|email-empty|domain-empty)$/,
        202,
        403,
      ),
      answer(
        /^constraints\/(?:group-(?:empty|commas|no-equals|bad-percent|semicolon|semicolon-before)|email-empty|domain-empty)-app$/,
        200,
        403,
      ),
    ],
  },
  {
    id: 'denied-is-403',
    original: '401 for somebody who is signed in and not let in, and the session is ended',
    postern: '403, and the session stays',
    reason: 'a 401 sends a front proxy to the sign-in, which lets them in, which leads to the next 401',
    where: [
      answer(/^emails-change\/change · alice after$/, 401, 403),
      facet(/^emails-change\/change · alice at the application$/, /^set-cookie$/, { postern: NONE }),
      answer(/^bearer-no-fallback\/no-mail · auth$/, 401, 403),
      answer(/^htpasswd-allowed-groups\/basic$|^htpasswd-email-domain\/admin-(?:auth|constraint)$/, 401, 403),
    ],
  },
  {
    id: 'form-asks-the-rules',
    original: 'the password form signs people in whom `allowed_groups` then keeps out',
    postern: '403 at the form',
    reason: 'nobody goes round in circles; `htpasswd_user_groups` gives them a group',
    where: [
      answer(/^htpasswd-allowed-groups\/enter · form$/, 302, 403),
      facet(/^htpasswd-allowed-groups\/enter · auth$/, /^set-cookie$/, { postern: NONE }),
    ],
  },
  {
    id: 'open-paths-in-full',
    original: 'a skip rule is matched against the path after one decoding, dots and slashes as they came',
    postern:
      'against the path as the application gets it; a path that two readers would read differently is open to nobody',
    reason: '`/public/../admin` is no public path (CVE-2026-41059 and its like)',
    where: [
      answer(/^front(?:-anybody)?\/auth-uri-(?:dots|encoded-dots|absolute)$/, 202, 401),
      answer(/^front-forms\/public-(?:backslash|semicolon|nul)$/, 202, 401),
      answer(/^skip\/get-encoded-dots$/, 301, 403),
      answer(/^skip\/get-encoded-slash$/, 200, 403),
      answer(/^skip\/get-raw-fragment$/, 200, 400),
      answer(/^skip\/get-backslash$/, 403, 400),
    ],
  },
  {
    id: 'forwarded-path-once',
    original: 'of two X-Forwarded-Uri the first counts',
    postern: 'such a request is open to nobody',
    reason: 'the first may be of the visitor',
    where: [answer(/^front(?:-anybody)?\/auth-uri-twice$/, 202, 401)],
  },
  {
    id: 'own-path-counts',
    original: 'in front of an application, X-Forwarded-Uri of a skip rule opens every path of the application',
    postern: 'the path that the application gets is the one that is judged',
    reason: 'CVE-2026-40575',
    where: [answer(/^front(?:-anybody)?\/root-uri-stranger$/, 200, 403), answer(/^forwarded-on\/all-open$/, 403, 200)],
  },
  {
    id: 'skip-rules-not-for-checks',
    original: '`skip_auth_routes` with `!=` opens `/oauth2/auth` and `/oauth2/userinfo` themselves',
    postern: 'skip rules are about applications: on `/oauth2/auth` they are asked about X-Forwarded-Uri alone',
    reason: 'one negated rule opened everything behind a front proxy',
    where: [
      answer(/^skip(?:-all-but)?\/(?:negated-put-)?auth$/, 202, 401),
      answer(/^skip-all-but\/userinfo$/, 200, 401),
    ],
  },
  {
    id: 'method-of-the-request',
    original:
      'a skip rule with a method is held against the method of the question, which is GET behind nginx, Traefik and Caddy whatever was asked: `GET=^/public/` lets a DELETE in',
    postern:
      'against X-Forwarded-Method or X-Original-Method of a trusted proxy; where nobody says it, such a rule opens nothing, and the log says so',
    reason: 'a rule for reading must not open writing',
    where: [
      answer(/^skip-methods\/(?:unsaid|delete-asked-by-get)$/, 202, 401),
      answer(/^skip-methods\/hook-asked-by-get$/, 401, 202),
    ],
  },
  {
    id: 'tokens-to-named-hosts',
    original: '`{id_token}` on signing out goes to every host below a whitelisted domain',
    postern: 'to the provider and to hosts that `whitelist_domains` names one by one',
    reason: 'the address is anybody’s to write, and a host below a domain may be anybody’s too',
    where: [facet(/^backend-logout\/sign-out-token$/, /^location$/, { postern: /^https:\/\/wiki\.example\.com\/$/ })],
  },
  {
    id: 'client-address',
    original:
      'the client address of a front is believed from anybody, as the left-most of a list, with a port and as first of two fields',
    postern: 'from trusted proxies alone, as the right-most address that is no trusted proxy',
    reason: 'what is further left was written by the visitor, and `trusted_ips` needs no sign-in',
    where: [
      answer(/^front-untrusted\/trusted-ip(?:-port|-mapped|-list)?$/, 202, 401),
      answer(/^front-untrusted\/trusted-ip-app$/, 200, 403),
      answer(/^front-untrusted\/trusted-ip-userinfo$/, 200, 401),
      answer(/^front(?:-anybody)?\/trusted-ip-list$/, 202, 401),
      answer(/^front-forwarded-for\/(?:trusted-first|twice)$/, 202, 401),
      answer(/^front-forwarded-for\/(?:trusted-last|garbage-first|empty-first)$/, 401, 202),
    ],
  },
  {
    id: 'nearest-host',
    original: 'of several X-Forwarded-Host the first counts, and a list is taken as one name',
    postern: 'the last: that of the nearest proxy',
    reason: 'the first may be of the visitor',
    where: [
      facet(/^front(?:-anybody)?\/start-forwarded-host-(?:list|twice)$/, /^location$/, {
        postern: /redirect_uri=https%3A%2F%2Fb\.example\.com%2F/,
      }),
    ],
  },
  {
    id: 'hosts-that-can-be',
    original: 'X-Forwarded-Host goes into addresses as it came, with user info, blanks or a dot at its end',
    postern: 'what is no host and port is not believed: the Host field counts',
    reason: 'the provider would be told an address, and people be sent to one, that nobody has',
    where: [
      facet(/^front-forms\/host-(?:a b|u@wiki\.example\.com|wiki\.example\.com\.)-start$/, /^location$/, {
        postern: /redirect_uri=https%3A%2F%2Fapp\.example\.com%2F/,
      }),
      facet(/^front-forms\/host-u@wiki\.example\.com-sign-in$/, /^body$/, { postern: /, then \/$/ }),
    ],
  },
  {
    id: 'one-authorization',
    original: 'of two Authorization fields the first counts',
    postern: 'none: 401',
    reason: 'whoever reads the other one would see somebody else',
    where: [answer(/^htpasswd-forms\/basic-twice-said$/, 202, 401)],
  },
  {
    id: 'written-fields',
    original: 'the application gets X-Forwarded-For, and every other forwarded field as the visitor wrote it',
    postern:
      'X-Forwarded-For, -Proto, -Host and -Port, X-Real-IP, X-Request-Id and Via are written by Postern, from what a trusted proxy said; other forwarded fields are taken away',
    reason: 'an application must be able to believe them',
    where: [
      facet(ANY, WRITTEN, { original: NONE }),
      facet(/^(?:front-untrusted\/|headers\/app-forwarded-fields|forwarded-off\/)/, WRITTEN, {
        postern: /^(?:127\.0\.0\.1|http|80|app\.example\.com)$/,
      }),
      facet(/\/(?:x-)?request-id$/, /^application x-request-id$/, { postern: /^<id>$/ }),
      facet(/^(?:front|headers)/, /^application (?:x-forwarded-uri|x-forwarded-method|forwarded)$/, { postern: NONE }),
      facet(
        /^forwarded-/,
        /^application (?:forwarded|x-forwarded-(?:uri|prefix|server|ssl)|x-original-(?:ur[il]|method)|x-rewrite-url)$/,
        { postern: NONE },
      ),
      facet(/^client-ip-cf\/app$/, /^application cf-connecting-ip$/, { postern: NONE }),
    ],
  },
  {
    id: 'no-smuggling',
    original:
      'names that are not injected pass to the application as the visitor wrote them, and those with dots always',
    postern: 'every name that oauth2-proxy may inject is taken away, in every spelling that a server folds into it',
    reason:
      'WSGI, CGI and PHP read `X.Forwarded.User` and `X_Forwarded_User` as X-Forwarded-User (CVE-2025-64484, CVE-2026-88011)',
    where: [
      facet(
        /\/(?:get-)?smuggle|^headers-kept\//,
        /^application (?:x[-_.](?:forwarded|auth[-_]request)[-_.]|gap-auth$)/,
        {
          postern: NONE,
        },
      ),
      facet(/^alpha\/app-smuggle$/, /^application x-forwarded-user$/, { postern: NONE }),
    ],
  },
  {
    id: 'connection-names-nothing-of-ours',
    original: '`Connection: X-Forwarded-User` of a visitor takes the identity away from the application',
    postern: 'it stays',
    reason: 'an application without an identity may take everybody for a guest, or an admin',
    where: [
      facet(/\/smuggle-connection$/, /^application x-forwarded-(?:user|email)$/, { original: NONE, postern: /alice/ }),
    ],
  },
  {
    id: 'rewrites-write-no-parameters',
    original: 'a rewrite of the structured file undoes every escape: `%3F` begins a query, `%26` another parameter',
    postern: 'those stay escaped; `%2F` is a slash',
    reason: 'whoever comes would write parameters of the application',
    where: [
      facet(/^rewrites(?:-raw)?\/(?:r\/a%3Fb|q\/a%26b)$/, /^application$/, {
        original: /^GET \/(?:new\/a\?b=|s\?b=&lit=a\+b&name=a)$/,
        postern: /^GET \/(?:new\/a%3Fb|s\?lit=a%20b&name=a%26b)$/,
      }),
    ],
  },
  {
    id: 'pages-of-other-sites-open-nothing',
    original: 'a WebSocket that a page of another site opens in a visitor’s browser is that of the visitor',
    postern: '403, unless Origin is of the host itself, the redirect URL, `whitelist_domains` or `cookie_domains`',
    reason: 'no other rule of browsers keeps that page from reading along (cross-site WebSocket hijacking)',
    where: [answer(/^upgrades\/origin-(?:other|null)$/, 101, 403)],
  },
  {
    id: 'forms-of-other-sites',
    original: 'a page of another site can sign a visitor in, by a form with a password of its own',
    postern: '403: Origin is of the host itself or within `whitelist_domains`, or nothing says that a browser sends it',
    reason: 'somebody would work in the account of somebody else (login CSRF)',
    where: [answer(/^htpasswd(?:-groups)?\/origin-(?:https:\/\/evil\.test|null)$/, 302, 403)],
  },
  {
    id: 'the-issuer-answers-itself',
    original: '`iss` of a callback is not looked at',
    postern: 'another issuer than the one that was asked ends the sign-in',
    reason: 'RFC 9207 section 2.4: a provider that is not the one may have got the code (mix-up)',
    where: [answer(/^forms-of-callback\/other-issuer · callback$/, 302, 500)],
  },
  {
    id: 'passwords-end-here',
    original: 'name and password of the password file go on to the application',
    postern: 'they do not',
    reason: 'they are of no use there',
    where: [facet(/^htpasswd.*\/basic-app$/, /^application authorization$/, { original: /^Basic /, postern: NONE })],
  },
  {
    id: 'no-password-in-addresses',
    original: 'a POST takes user and password from the query as well',
    postern: '400: from the form alone',
    reason: 'addresses are logged',
    where: [answer(/^htpasswd(?:-groups)?\/query-password$/, 302, 400)],
  },
  {
    id: 'redirects-by-browsers-rules',
    original:
      '`rd` is judged as text: `/a//b` and `/a?u=https://x.test/` are refused, as are hosts in capitals and `:443`; a line break passes',
    postern: 'it is judged by what a browser makes of it, and printed as a browser would',
    reason: 'each place is one of the application or of the whitelist: the 558 lines of test/vectors are tried',
    where: [
      facet(/^whitelist-forms\/sign-(?:in|out)-7$/, /^(?:location|body)$/, { postern: /https:\/\/upper\.test\/x$/ }),
      facet(/^whitelist-forms\/sign-(?:in|out)-2[67]$/, /^(?:location|body)$/, {
        postern: /^(?:sign-in page: provider at \/oauth2\/start, then )?\/$/,
      }),
      facet(
        /^redirects\/(?:double-slash|upper-host|port-443|slash-in-query|utf8|space|newline)-/,
        /^(?:location|body)$/,
        {
          postern:
            /^(?:sign-in page: provider at \/oauth2\/start, then )?(?:https:\/\/foo\.bar(?::443)?)?\/(?![/\\])[!-~]*\s*$/i,
        },
      ),
      facet(/^places-of-rd\/(?:plus-space|utf8|latin1|nul)-/, /^(?:location|body|fact)$/, {
        postern: /^(?:sign-in page: provider at \/oauth2\/start, then |302 at )?\/(?:q%20a|%C3%A4|%E4)?$/,
      }),
      facet(/^hosts\/(?:start|login)-8(?: |$)/, /^(?:location|body)$/, { postern: /https:\/\/plain\.test:443\/$/ }),
      answer(
        /^redirects\/lines-\d+ · \/(?:%68%74|\?url=|ReceiveAuto|redirect\?url=|https:\/%5c|[a-z.]+\/%2f%2e%2e)/,
        '302 to /',
        /^302 to \/[^/\\]/,
      ),
      answer(/^redirects\/lines-\d+ · ./, '500 to ', /^302 to \/$/),
    ],
  },
  {
    id: 'ascii-targets',
    original: 'bytes beyond ASCII in a request line are taken as they are',
    postern: '400',
    reason: 'RFC 9112 section 3.2 has no such bytes; browsers escape them',
    where: [
      facet(/^front-forms\/uri-\/(?:ü|a b)-sign-in$/, /^body$/, { postern: /, then \/$/ }),
      answer(/^redirects\/lines-\d+ · ./, '302 to /', /^400 to $/),
    ],
  },
  {
    id: 'hardened-pages',
    original: 'pages carry no security fields',
    postern:
      'Content-Security-Policy, X-Frame-Options, Referrer-Policy and their like on each page, nosniff on each answer of its own, and Vary, because a page speaks the language of its reader',
    reason: 'a sign-in page in a foreign frame is a trap for clicks',
    where: [
      facet(ANY, PAGE_FIELDS, { original: NONE }),
      facet(ANY, /^x-content-type-options$/, { original: NONE, postern: /^nosniff$/ }),
    ],
  },
  {
    id: 'scripts-cannot-read-csrf',
    original: '`cookie_httponly=false` is for all cookies',
    postern: 'the cookie of a sign-in under way is HttpOnly always',
    reason: 'no script has business with it',
    where: [
      facet(/^cookie-options\//, /^set-cookie$/, {
        original: /^_front_csrf=[^\n]*$/,
        postern: /; HttpOnly; SameSite=None$/,
      }),
    ],
  },
  {
    id: 'metrics-at-one-path',
    original: 'the metrics listener answers with metrics to every path',
    postern: '404 but for `/metrics`',
    reason: 'no path of a door is taken for another',
    where: [answer(/^metrics\/other-paths · /, 200, 404)],
  },
  {
    id: 'files-to-show',
    original: '`file://` lists folders, shows hidden files, takes `%2F` for a slash, and answers every method',
    postern: 'no lists, no hidden files, a path as it stands, GET and HEAD alone; ETag, and 308 to the folder',
    reason: 'what nobody meant to publish stays where it is',
    where: [
      answer(/^upstreams\/file-(?:hidden|list)$/, 200, 404),
      answer(/^upstreams\/file-post$/, 200, 405),
      answer(/^upstreams\/file-folder-no-slash$/, 301, 308),
      answer(/^rewrites(?:-raw)?\/fs\/sub%2Fp\.txt$/, 200, 404),
      facet(/^(?:(?:upstreams|alpha-more)\/file|rewrites(?:-raw)?\/fs\/)/, /^etag$/, { original: NONE }),
      facet(/^upstreams\/file-missing$/, /^(?:gap-auth|x-content-type-options|body)$/),
    ],
  },
];
