/** Shape of the keys about people and machines: sign_in, session, services, maps, tests. */
import type * as z from 'zod';
import { identityKeys, type IdentityKeysInput } from './identity-headers.ts';
import { rulesShape, type RulesInput, scalar, type Scalar } from './routes.ts';
import {
  duration,
  either,
  flag,
  key,
  map,
  numberOf,
  oneOrMore,
  section,
  text,
  whole,
  type UnitInput,
  word,
} from './shapes.ts';

export interface SignInInput {
  readonly url?: string | undefined;
  readonly name?: string | undefined;
  readonly logo?: string | undefined;
  readonly color?: string | undefined;
  readonly show_rule_to?: RulesInput | undefined;
  readonly provider?: string | undefined;
  readonly keep_fragment?: boolean | undefined;
}

export interface SessionInput {
  readonly lifetime?: UnitInput | undefined;
  readonly idle?: UnitInput | undefined;
  readonly stale_for?: UnitInput | undefined;
  readonly per_person?: number | undefined;
  readonly insecure_http?: boolean | undefined;
  readonly cookie_domain?: string | undefined;
}

export interface ServiceInput {
  readonly password?: string | readonly string[] | undefined;
}

export interface DefaultsInput extends IdentityKeysInput {
  readonly allow?: RulesInput | undefined;
  readonly deny?: RulesInput | undefined;
}

export const TEST_METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const;
export type TestMethod = (typeof TEST_METHODS)[number];

export interface TestInput extends Readonly<Partial<Record<TestMethod, string | undefined>>> {
  readonly as?: string | undefined;
  readonly groups?: string | readonly string[] | undefined;
  readonly roles?: string | readonly string[] | undefined;
  readonly ip?: string | undefined;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, Scalar>> | undefined;
  readonly client_certificate?: string | undefined;
  readonly expect?: 'allow' | 'deny' | 'sign-in' | 'challenge' | undefined;
}

export const signInShape: z.ZodType<SignInInput> = section(
  {
    url: key(
      text('a URL such as "https://auth.example.com"'),
      "A host that serves Postern's own pages and nothing else. Needed as soon as a rule needs a person.",
      { examples: ['https://auth.example.com'] },
    ),
    name: key(text('text'), "Name on Postern's own pages.", { default: 'Postern' }),
    logo: key(
      text('a path such as "logo.svg"'),
      'A PNG, JPEG, WebP, GIF or SVG file of at most 64 KiB, shown beside the name.',
      { examples: ['logo.svg'] },
    ),
    color: key(
      text('a colour such as "#23594b"'),
      'Colour of buttons and links. Shades for light and dark are derived from it, so that text stays readable.',
      { examples: ['#23594b'] },
    ),
    provider: key(
      text('the id of a provider'),
      'Provider to go to at once, instead of a page to choose from. The others stay reachable by "use another account".',
      { examples: ['keycloak'] },
    ),
    keep_fragment: key(
      flag(),
      'What stands after `#` in a link is kept while people are at a provider, by a short page before it in place of a redirect. `false`: a provider with a page of its own loses it.',
      { default: false },
    ),
    show_rule_to: key(
      rulesShape,
      'Who is told, on the page that refuses them, which rule did and why. Nobody without it; `postern explain` tells the operator.',
      { examples: [['group:admins']] },
    ),
  },
  'a map with "url"',
);

export const sessionShape: z.ZodType<SessionInput> = section(
  {
    lifetime: key(duration(), 'Longest time from sign-in to the next one.', { default: '12h' }),
    idle: key(
      duration(),
      'Longest time without a request, or a byte from the visitor on an open WebSocket, before the session ends.',
      { default: '2h' },
    ),
    stale_for: key(duration(), 'How long a known session is served while the store is away; then 503.', {
      default: '1m',
    }),
    per_person: key(
      whole(1, 100_000),
      'Most sessions of one person (browsers, not tabs) at a time: signing in once more ends the oldest. Links are not counted.',
      { default: 1000 },
    ),
    insecure_http: key(
      flag(),
      '`true`: allow sign-in over plain HTTP. Passwords and cookies can then be read on the way.',
      {
        default: false,
      },
    ),
    cookie_domain: key(
      text('a domain such as ".example.com"'),
      'Share one cookie over a domain instead of hand-offs. Hosts outside it have each their own, as without. Every server below the domain gets the cookie, those that are not behind Postern too.',
      { examples: ['.example.com'] },
    ),
  },
  'a map with "lifetime" and "idle"',
);

export const serviceShape: z.ZodType<ServiceInput> = section(
  {
    password: key(
      oneOrMore(
        text('a hash made by `postern hash-password`'),
        'a hash made by `postern hash-password`, or a list of them',
      ),
      'bcrypt or argon2id hash of the password, never the password; several while a password is being changed.',
    ),
  },
  'a map with "password"',
);

export const mapShape: z.ZodType<Readonly<Record<string, Scalar>>> = map(
  either(text('text'), numberOf('a number'), 'text or a number'),
  'a map of principals to values',
);

export const defaultsShape: z.ZodType<DefaultsInput> = section(
  {
    allow: key(rulesShape, 'For every path that has no `allow` of its own or of its host.'),
    deny: key(rulesShape, 'For every host, before its own `deny`.'),
    ...identityKeys,
  },
  'a map with "allow" and "deny"',
);

const METHOD = 'Request with this method: the URL.';
const URL_TEXT = 'a URL such as "https://app.example.com/"';

export const testShape: z.ZodType<TestInput> = section(
  {
    as: key(
      text('"anonymous", a user name or a principal'),
      'Who asks: `anonymous`, a user name, or a principal such as `service:promtail`.',
      {
        default: 'anonymous',
      },
    ),
    groups: key(oneOrMore(text('a group'), 'a list of groups'), 'Groups of that person.'),
    roles: key(oneOrMore(text('a role'), 'a list of roles'), 'Roles of that person.'),
    ip: key(text('an IP address'), 'Address that the request comes from.'),
    get: key(text(URL_TEXT), METHOD),
    head: key(text(URL_TEXT), METHOD),
    post: key(text(URL_TEXT), METHOD),
    put: key(text(URL_TEXT), METHOD),
    patch: key(text(URL_TEXT), METHOD),
    delete: key(text(URL_TEXT), METHOD),
    options: key(text(URL_TEXT), METHOD),
    method: key(text('a method such as "GET"'), 'Any other method, together with `url`.'),
    url: key(text(URL_TEXT), 'The URL, together with `method`.'),
    headers: key(
      map(scalar, 'a map of header names to values'),
      'Header fields of the request, for routes that are told apart by them.',
    ),
    client_certificate: key(
      text('a client certificate such as "cn=machine-7"'),
      'A client certificate that verified, as rules name one: `cn=machine-7`.',
    ),
    expect: key(word('allow', 'deny', 'sign-in', 'challenge'), 'What must come of it.'),
  },
  'a map with "as", "get" and "expect"',
);
