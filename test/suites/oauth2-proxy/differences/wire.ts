/** Differences in what stands on the wire. */
import { ANY, NONE, NO_CACHE, answer, facet } from './difference.ts';
import type { Difference } from './difference.ts';

export const WIRE: readonly Difference[] = [
  {
    id: 'fields-as-they-came',
    original: 'repeated fields are joined with commas, cookies too',
    postern: 'they go on as they came',
    reason: '`Cookie` does not join with commas (RFC 9110 section 5.3)',
    where: [
      facet(/^headers\/app-repeated-fields$/, /^application (?:accept|x-two)$/, {
        postern: (original) => original.replaceAll(',', '\n'),
      }),
    ],
  },
  {
    id: 'te-ends-here',
    original: '`TE: trailers` goes on to the application',
    postern: 'it is said where trailers can be passed on',
    reason: 'it is about one connection (RFC 9110 section 10.1.4)',
    where: [
      facet(/^(?:headers\/app-hop-by-hop|streams\/trailers)$/, /^application te$/, { postern: NONE }),
      facet(/^streams\/trailers$/, /^trailer$/, { postern: NONE }),
    ],
  },
  {
    id: 'no-user-agent-of-its-own',
    original: '`backend_logout_url` is asked by `Go-http-client`',
    postern: 'without a User-Agent',
    reason: 'nobody needs to know the program',
    where: [facet(/^backend-logout\//, /^application user-agent$/, { postern: NONE })],
  },
  {
    id: 'no-accept-encoding',
    original: 'applications are asked for gzip where the visitor did not ask',
    postern: 'what the visitor asks for',
    reason: 'the answer goes through as it is',
    where: [facet(ANY, /^application accept-encoding$/, { original: /^gzip$/, postern: NONE })],
  },
  {
    id: 'paths-made-plain',
    original:
      'escapes that need none go on as they are, an absolute target too, and encoded dots are redirected with the identity on the redirect',
    postern: 'the application gets one plain form, which is the one that was judged',
    reason: 'two readers must not read a path differently',
    where: [
      facet(
        /^(?:minimal\/(?:auth-encoded-name|absolute-form)|skip\/get-encoded|methods\/percent-\w+)$/,
        /^application$/,
        {
          postern: /^GET \/(?:oauth2\/auth|x|public\/x|a%2Fb%3A|A~)$/,
        },
      ),
      answer(/^(?:minimal\/dot-segment-encoded|upstreams\/file-dots|alpha\/rewritten-dots)$/, 301, 200),
      answer(/^upstreams\/file-encoded-dots$/, 301, 400),
      answer(/^rewrites\/r\/%2e%2e\/b$/, 301, 200),
      answer(/^rewrites\/r\/(?:\.\.%2Fb|x%2F\.\.%2F\.\.%2Fadmin)$/, 301, 400),
      // With proxyRawPath the original hands on "/new/../../admin".
      answer(/^rewrites-raw\/r\/(?:\.\.%2Fb|x%2F\.\.%2F\.\.%2Fadmin)$/, 200, 400),
      facet(/^rewrites-raw\/r\/%2e%2e\/b$/, /^application$/, { postern: /^GET \/b$/ }),
      facet(/^rewrites(?:-raw)?\/(?:r\/a'b\(c\)\*!|absent\/a)$/, /^application$/, {
        postern: /^GET \/(?:new\/a'b\(c\)\*!|a\/b)$/,
      }),
    ],
  },
  {
    id: 'queries-as-they-came',
    original: 'a query to which a rewrite adds something is printed anew: `%20` as `+`, `z` as `z=`',
    postern: 'byte for byte, in the same order',
    reason: 'it means the same, and signatures over a query stay good',
    where: [
      facet(/^rewrites(?:-raw)?\/(?:q\/|r\/\?)/, /^application$/, {
        postern: /^GET \/(?:s\?lit=a%20b&name=a(?:%20b|\+b|%3Db)?(?:&x=1)?|new\/\?x=%2F&y=a%20b&z)$/,
      }),
    ],
  },
  {
    id: 'no-connect',
    original: '`CONNECT` is redirected, and `TRACE` goes on to the application',
    postern: '405',
    reason: 'it is no tunnel, and an answer to TRACE shows the fields of the request, cookies among them',
    where: [
      answer(/^upstreams\/connect$/, 301, 405),
      answer(/^odd-requests\/trace-(?:sign_in|app)$/, 200, 405),
      answer(/^odd-requests\/trace-(?:start|sign_out)$/, 302, 405),
      answer(/^odd-requests\/trace-(?:auth|userinfo)$/, 401, 405),
      answer(/^odd-requests\/trace-callback$/, 500, 405),
    ],
  },
  {
    id: 'one-host-one-version',
    original: 'an empty Host, a target that names another host than Host, and HTTP/1.2 are served',
    postern: '400 and 505',
    reason: 'two readers must not read a request differently',
    where: [
      answer(/^odd-requests\/(?:host-empty|absolute-other)$/, 302, 400),
      answer(/^odd-requests\/http-1-2$/, 200, 505),
    ],
  },
  {
    id: 'no-other-upgrades',
    original: 'an upgrade to something else (`h2c`) goes on to the application, and one of a POST to a WebSocket',
    postern: 'the request goes on without it',
    reason: 'behind h2c nobody judges what is asked; a WebSocket begins with GET (RFC 6455 section 4.1)',
    where: [answer(/^upgrades\/(?:h2c|unknown)$/, 502, 200), answer(/^upgrades\/post$/, 101, 200)],
  },
  {
    id: 'words-of-400',
    original: '`400 Bad Request: missing required Host header`',
    postern: '`400 host-missing`',
    reason: 'the same for every request that breaks the protocol',
    where: [
      facet(/^minimal\/no-host$/, /^(?:body)$/, { postern: /^400 host-missing/ }),
      facet(/^odd-requests\/(?:host-broken|http-2-0)$/, /^(?:body|cache-control)$/, {
        postern: /^(?:400 host\n|505 version\n|no-store$)/,
      }),
    ],
  },
  {
    id: 'host-in-small-letters',
    original: 'the redirect address spells the host as the visitor did',
    postern: 'in small letters',
    reason: 'providers compare it letter by letter',
    where: [
      facet(/^cookie-options\/start-host-upper$/, /^location$/, {
        postern: /redirect_uri=http%3A%2F%2Fapp\.example\.com%2F/,
      }),
      facet(/^front-forms\/host-WIKI\.example\.com-(?:start|sign-in)$/, /^(?:location|body)$/, {
        postern: /https(?:%3A%2F%2F|:\/\/)wiki\.example\.com/,
      }),
    ],
  },
  {
    id: 'lower-case-upgrade',
    original: '`Upgrade: WebSocket` goes on as spelled',
    postern: '`websocket`',
    reason: 'it means the same',
    where: [facet(/^upstreams\/websocket-lower$/, /^application upgrade$/, { postern: /^websocket$/ })],
  },
  {
    id: 'own-files',
    original: '`/oauth2/static/` has a style sheet and fonts, and lists its folder',
    postern: 'what its own pages need; a template that takes the others is named by a warning, with what to link',
    reason: 'the pages are others',
    where: [
      answer(/^minimal\/static(?:-folder)?$/, 200, 404),
      facet(/^(?:minimal\/static-missing|paths\/\/a\/b\/static\/x)$/, NO_CACHE),
    ],
  },
];
