/** Shape of what a path, a host without paths and `default:` have in common: rules, action, edits, limits. */
import * as z from 'zod';
import { identityKeys, type IdentityKeysInput } from './identity-headers.ts';
import { count, routeLimitKeys, type RouteLimitsInput, routeLimitsShape } from './limits.ts';
import {
  duration,
  either,
  flag,
  key,
  list,
  map,
  numberOf,
  off,
  oneOrMore,
  section,
  type ShapeOf,
  text,
  type UnitInput,
  whole,
  word,
} from './shapes.ts';

export type RuleInput = string | { readonly all: readonly RuleInput[] } | { readonly when: string };
export type RulesInput = RuleInput | readonly RuleInput[];
export type Scalar = string | number;

export interface ServerInput {
  readonly url?: string | undefined;
  readonly weight?: number | undefined;
}

export interface HeaderEditsInput {
  readonly add_headers?: Readonly<Record<string, Scalar>> | undefined;
  readonly remove_headers?: string | readonly string[] | undefined;
}

export interface UpstreamTlsInput {
  readonly verify?: boolean | undefined;
  readonly ca?: string | undefined;
  readonly server_name?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

export interface HealthInput {
  readonly path?: string | undefined;
  readonly interval?: UnitInput | undefined;
  readonly timeout?: UnitInput | undefined;
  readonly expect?: Scalar | undefined;
  readonly passes?: number | undefined;
  readonly fails?: number | undefined;
}

export interface RouteSignInInput {
  readonly provider?: string | undefined;
}

export interface RespondInput {
  readonly status?: number | undefined;
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, Scalar>> | undefined;
}

export interface RedirectInput {
  readonly to?: string | undefined;
  readonly status?: number | undefined;
}

/** What a person must show beside matching a rule. */
export interface RequireInput {
  readonly second_factor?: boolean | undefined;
  readonly acr?: string | readonly string[] | undefined;
  readonly max_age?: UnitInput | undefined;
}

/** Rules on trial. */
export interface ShadowInput {
  readonly allow?: RulesInput | undefined;
  readonly deny?: RulesInput | undefined;
}

/** One of `routes`. */
export interface ChoiceInput {
  readonly when?: RulesInput | undefined;
  readonly to?: string | readonly (string | ServerInput)[] | undefined;
  readonly redirect?: string | RedirectInput | undefined;
  readonly respond?: number | string | RespondInput | undefined;
}

export interface RouteInput extends RouteLimitsInput, HeaderEditsInput, IdentityKeysInput {
  readonly to?: string | readonly (string | ServerInput)[] | undefined;
  readonly redirect?: string | RedirectInput | undefined;
  readonly respond?: number | string | RespondInput | undefined;
  readonly routes?: readonly ChoiceInput[] | undefined;
  readonly allow?: RulesInput | undefined;
  readonly require?: 'second-factor' | 'nothing' | RequireInput | undefined;
  readonly deny?: RulesInput | undefined;
  readonly shadow?: ShadowInput | undefined;
  readonly methods?: string | readonly string[] | undefined;
  readonly headers?: Readonly<Record<string, Scalar | true>> | undefined;
  readonly strip_prefix?: string | undefined;
  readonly rewrite?: string | undefined;
  readonly response?: HeaderEditsInput | undefined;
  readonly upstream_tls?: UpstreamTlsInput | undefined;
  readonly host_header?: string | undefined;
  readonly balance?: 'round-robin' | 'least-connections' | 'first' | 'ip-hash' | undefined;
  readonly health?: string | HealthInput | false | undefined;
  readonly max_fails?: number | undefined;
  readonly fail_timeout?: UnitInput | undefined;
  readonly max_connections?: number | 'unlimited' | undefined;
  readonly encoded_slash?: 'keep' | 'reject' | undefined;
  readonly sign_in?: RouteSignInInput | undefined;
  readonly origins?: string | readonly string[] | undefined;
  readonly upgrades?: string | readonly string[] | false | undefined;
  readonly limits?: RouteLimitsInput | undefined;
}

const RULE = 'a rule such as "signed-in", { all: [...] } or { when: "..." }';
const SERVER = 'an app\'s URL such as "http://127.0.0.1:3000"';

const rule: z.ZodType<RuleInput> = z.union(
  [
    z.string({ error: RULE }),
    z.strictObject(
      {
        all: z.array(
          z.lazy(() => rule),
          { error: 'a list of rules' },
        ),
      },
      { error: RULE },
    ),
    z.strictObject({ when: z.string({ error: 'a CEL expression in quotes' }) }, { error: RULE }),
  ],
  { error: RULE },
);

export const rulesShape: z.ZodType<RulesInput> = oneOrMore(rule, 'a list of rules such as ["signed-in"]');

export const scalar: z.ZodType<Scalar> = either(z.string(), z.number(), 'text');

function headerEditKeys(
  message: string,
  values = '',
): {
  add_headers: z.ZodOptional<z.ZodType<Readonly<Record<string, Scalar>>>>;
  remove_headers: z.ZodOptional<z.ZodType<string | readonly string[]>>;
} {
  return {
    add_headers: key(map(scalar, 'a map of header names to values'), `Header fields to set in ${message}.${values}`, {
      examples: [{ 'X-Scope-OrgID': 'team-a' }],
    }),
    remove_headers: key(
      oneOrMore(text('a header name'), 'a list of header names'),
      `Header fields to remove from ${message}.`,
    ),
  };
}

const serverShape = section(
  {
    url: key(text(SERVER), 'URL of the server.'),
    weight: key(whole(1, 1000), 'Its share of the requests.', { default: 1 }),
  },
  'a map with "url" and "weight"',
);

const upstreamTlsShape: z.ZodType<UpstreamTlsInput> = section(
  {
    verify: key(flag(), '`false`: take any certificate of the app. Prefer `ca`.', { default: true }),
    ca: key(text('the path of a file'), "PEM file with the CA that signs the app's certificate."),
    server_name: key(text('a host name'), 'Name that the certificate must have. Without it: the host of the URL.'),
    certificate: key(text('the path of a file'), 'PEM file with a client certificate to show to the app.'),
    key: key(text('the path of a file'), 'PEM file with its private key.'),
  },
  'a map with "verify", "ca" or "server_name"',
);

const healthShape: z.ZodType<HealthInput> = section(
  {
    path: key(text('a path such as "/healthz"'), 'Path to ask for with GET.'),
    interval: key(duration(), 'Time between two checks.', { default: '10s' }),
    timeout: key(duration(), 'Longest wait for an answer.', { default: '5s' }),
    expect: key(scalar, 'Status that counts as healthy: `200`, `2xx` or `200-399`.', { default: '200-399' }),
    passes: key(whole(1, 100), 'Good answers in a row that bring a server back.', { default: 2 }),
    fails: key(whole(1, 100), 'Bad answers in a row that put a server aside.', { default: 3 }),
  },
  'a path, or a map with "path"',
);

const respondShape: z.ZodType<RespondInput> = section(
  {
    status: key(whole(200, 599), 'Status of the answer.', { default: 200 }),
    body: key(text('text'), 'Body of the answer, as text.'),
    headers: key(map(scalar, 'a map of header names to values'), 'Header fields of the answer.'),
  },
  'a status, a text, or a map with "status", "body" and "headers"',
);

const redirectShape: z.ZodType<RedirectInput> = section(
  {
    to: key(text('a URL or path'), 'Where to: a URL or a path. `{path}` and `{query}` are those of the request.'),
    status: key(numberOf('301, 302, 303, 307 or 308'), '301, 302, 303, 307 or 308.', { default: 302 }),
  },
  'a URL, or a map with "to" and "status"',
);

const requireShape: z.ZodType<RequireInput> = section(
  {
    second_factor: key(flag(), 'A second factor, once a session.', { default: false }),
    acr: key(
      oneOrMore(text('a level such as "gold"'), 'a list of levels'),
      'One of these levels of authentication (`acr`), as the provider names them. People are sent back to it with `acr_values`. A local account shows a second factor instead.',
    ),
    max_age: key(
      duration(),
      'How old a sign-in may be, at least `10s`. People are sent back to the provider with `max_age`; those with a local account type their password again.',
    ),
  },
  'a map with "max_age", "acr" or "second_factor"',
);

const ruleKeys = {
  allow: key(
    rulesShape,
    "Who may come: one matching rule is enough. A path's list replaces its host's. Without one anywhere the document is refused.",
    { examples: [['signed-in'], ['local:group:staff', 'ip:192.0.2.0/24'], ['public']] },
  ),
  deny: key(rulesShape, "Who may not, whatever `allow` says. A host's list applies to all its paths too."),
  require: key(
    either(
      word('second-factor', 'nothing'),
      requireShape,
      '"second-factor", "nothing", or a map with "max_age", "acr" or "second_factor"',
    ),
    'What a person must show beside matching a rule: `second-factor` asks for an authenticator app or a passkey once a session, a map also for a recent sign-in or a level of the provider. `nothing` takes back what the host asks for.',
    { default: 'nothing', examples: ['second-factor', { max_age: '15m' }, { acr: ['gold'], max_age: '1h' }] },
  ),
  shadow: key(
    section(
      {
        allow: key(rulesShape, 'In place of `allow`.'),
        deny: key(rulesShape, "Besides `deny`. A host's is tried on its paths that have a `shadow` of their own, too."),
      },
      'a map with "allow" and "deny"',
    ) as z.ZodType<ShadowInput>,
    'Rules on trial: judged for every request and logged where they would decide otherwise, but not enforced.',
    { examples: [{ allow: ['group:staff'] }] },
  ),
};

const actionKeys = {
  to: key(
    either(text(SERVER), list(either(text(SERVER), serverShape, SERVER), 'a list of URLs'), `${SERVER}, or a list`),
    'The app: `http://`, `https://` or `h2c://` with host and port, `unix:/path`, `files:/folder` or `app:whoami`; or a list of servers. Host, port and socket may hold `{user.name}`, `{service.name}`, `{token.name}` and `{map.NAME}`.',
    { examples: ['http://127.0.0.1:3000', ['http://10.0.0.2:80', { url: 'http://10.0.0.3:80', weight: 2 }]] },
  ),
  redirect: key(either(text('a URL or path'), redirectShape, 'a URL, or { to, status }'), 'Answer with a redirect.', {
    examples: ['https://new.example.com{path}{query}'],
  }),
  respond: key(
    either(
      either(whole(200, 599), text('text'), 'a status or a text'),
      respondShape,
      'a status, a text, or { status, body, headers }',
    ),
    'Answer with a fixed status or text.',
    { examples: [404, 'hello', { status: 503, body: 'Back at noon' }] },
  ),
};

const choiceShape: z.ZodType<ChoiceInput> = section(
  {
    when: key(rulesShape, 'Who is led here, written like `allow`. Left out at the last one: everybody else.'),
    ...actionKeys,
  },
  'a map with "when" and "to"',
);

const choiceKeys = {
  routes: key(
    list(choiceShape, 'a list of choices'),
    'Instead of `to`: several, told apart by who comes. The first whose `when` matches is taken; where none does, a page says that there is no app for this account. `allow` decides first.',
    {
      examples: [
        [
          { when: ['group:research'], to: 'http://127.0.0.1:9001' },
          { when: ['group:teaching'], to: 'http://127.0.0.1:9002' },
        ],
      ],
    },
  ),
};

const matchKeys = {
  methods: key(
    oneOrMore(text('a method such as "GET"'), 'a list of methods'),
    'Only requests with one of these methods.',
    {
      examples: [['GET', 'HEAD']],
    },
  ),
  headers: key(
    map(either(scalar, z.literal(true), 'text, or true for any value'), 'a map of header names to values'),
    'Only requests with these header fields: an exact value, or `true` for any.',
  ),
};

const proxyKeys = {
  upstream_tls: key(upstreamTlsShape, 'How the certificate of an `https://` app is verified.'),
  host_header: key(
    text('"keep", "upstream" or a host name'),
    "Host that the app sees: the visitor's, the URL's own, or a fixed one.",
    {
      default: 'keep',
    },
  ),
  balance: key(word('round-robin', 'least-connections', 'first', 'ip-hash'), 'How one of several servers is picked.', {
    default: 'round-robin',
  }),
  health: key(
    either(
      off(),
      either(text('a path such as "/healthz"'), healthShape, 'a path, or a map with "path"'),
      'a path, or a map with "path"',
    ),
    'Active health checks.',
    { examples: ['/healthz', { path: '/healthz', interval: '10s', expect: '2xx' }] },
  ),
  max_fails: key(whole(0, 1000), 'Connection failures within `fail_timeout` that put a server aside. `0`: never.', {
    default: 3,
  }),
  fail_timeout: key(duration(), 'How long failures count, and how long a server is put aside.', { default: '10s' }),
  max_connections: key(count(), 'Most connections to each server, tunnels included.', { default: 'unlimited' }),
};

const editKeys = {
  strip_prefix: key(text('a path such as "/api"'), 'Prefix to take off the path before the app sees it.'),
  rewrite: key(text('a path such as "/app{path}"'), 'New path for the app; `{path}` is the path after `strip_prefix`.'),
  ...headerEditKeys(
    'the request to the app',
    ' Values may hold `{user.name}`, `{service.name}`, `{token.name}`, `{map.NAME}`, `{client.ip}` and `{request.id}`.',
  ),
  response: key(
    section(
      headerEditKeys('the answer to the visitor'),
      'a map with "add_headers" and "remove_headers"',
    ) as z.ZodType<HeaderEditsInput>,
    'Edits of the answer.',
  ),
  ...identityKeys,
  sign_in: key(
    section(
      { provider: key(text('the id of a provider'), 'Provider that people of this route go to at once.') },
      'a map with "provider"',
    ),
    'How people sign in who come here without a session. Without it: as `sign_in` of the document says.',
    { examples: [{ provider: 'keycloak' }] },
  ),
  encoded_slash: key(
    word('keep', 'reject'),
    '`keep`: let `%2F` and `%5C` in paths through to the app (Jenkins, GitLab, npm registries).',
    {
      default: 'reject',
    },
  ),
  origins: key(
    oneOrMore(text('an origin such as "https://other.example.com"'), 'a list of origins'),
    'Origins besides the host itself that may open WebSockets with a session. `*`: any.',
  ),
  upgrades: key(
    either(
      z.literal(false, { error: 'false' }),
      oneOrMore(text('a protocol such as "websocket"'), 'a list of protocols'),
      'a list of protocols',
    ),
    'Protocols of `Upgrade` that pass. `false`: none. Never `h2c`.',
    { default: ['websocket'] },
  ),
};

export const routeKeys: ShapeOf<RouteInput> = {
  ...actionKeys,
  ...choiceKeys,
  ...ruleKeys,
  ...matchKeys,
  ...editKeys,
  ...proxyKeys,
  limits: key(routeLimitsShape, 'Limits of this route. Each may also be written beside `to`.'),
  ...routeLimitKeys,
};

export const routeShape: z.ZodType<RouteInput> = section(routeKeys, 'a map with "to" and "allow"');
