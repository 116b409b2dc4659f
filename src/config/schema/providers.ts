/** Shape of `providers:`. Which keys a type takes is read by normalise/providers.ts. */
import type * as z from 'zod';
import { duration, flag, key, oneOrMore, section, text, type UnitInput, word } from './shapes.ts';

export interface SecondFactorInput {
  readonly acr?: string | readonly string[] | undefined;
  readonly amr?: string | readonly string[] | undefined;
}

export interface ProviderInput {
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  readonly issuer?: string | undefined;
  readonly url?: string | undefined;
  readonly client_id?: string | undefined;
  readonly client_secret?: string | undefined;
  readonly client_auth?: 'basic' | 'post' | 'none' | undefined;
  readonly scopes?: string | readonly string[] | undefined;
  readonly user_claim?: string | readonly string[] | undefined;
  readonly groups_claim?: string | readonly string[] | undefined;
  readonly roles_claim?: string | readonly string[] | undefined;
  readonly email_domains?: string | readonly string[] | undefined;
  readonly trust_email?: boolean | undefined;
  readonly hosted_domain?: string | readonly string[] | undefined;
  readonly directory?: DirectoryInput | undefined;
  readonly prompt?: string | undefined;
  readonly acr_values?: string | readonly string[] | undefined;
  readonly second_factor?: SecondFactorInput | undefined;
  readonly max_age?: UnitInput | undefined;
  readonly clock_tolerance?: UnitInput | undefined;
  readonly recheck?: UnitInput | undefined;
  readonly logout?: boolean | undefined;
  readonly internal_url?: string | undefined;
  readonly ca?: string | undefined;
  readonly bearer?: BearerInput | undefined;
}

export interface DirectoryInput {
  readonly admin?: string | undefined;
  readonly service_account?: string | undefined;
  readonly principal?: string | undefined;
}

export interface BearerInput {
  readonly audience?: string | readonly string[] | undefined;
  readonly azp?: string | readonly string[] | undefined;
}

const URL_TEXT = 'a URL such as "https://id.example.com"';
const CLAIM = 'a claim such as "groups"';

const secondFactorShape: z.ZodType<SecondFactorInput> = section(
  {
    acr: key(oneOrMore(text('a context class'), 'a list of context classes'), 'Values of `acr` that count.'),
    amr: key(
      oneOrMore(text('a method such as "otp"'), 'a list of methods'),
      'Methods in `amr` that count (RFC 8176).',
      {
        default: ['mfa'],
      },
    ),
  },
  'a map with "acr" and "amr"',
);

export const providerShape: z.ZodType<ProviderInput> = section(
  {
    type: key(
      text('a provider type such as "local", "oidc" or "keycloak"'),
      '`local` keeps accounts in Postern itself. `oidc` is any OpenID provider. `github`, and presets of `oidc`: `keycloak`, `google`, `entra-id`, `okta`, `auth0`, `authentik`, `zitadel`, `gitlab`, `gitea`, `forgejo`, `pocket-id`, `dex`; see [providers.md](providers.md).',
      { examples: ['keycloak'] },
    ),
    name: key(text('text'), 'Name on the button of the sign-in page.', { examples: ['Company account'] }),
    issuer: key(text(URL_TEXT), 'The issuer, exactly as the provider names itself. Discovery does the rest.', {
      examples: ['https://id.example.com/realms/main'],
    }),
    url: key(text(URL_TEXT), '`github`: base URL of GitHub Enterprise Server.', {
      default: 'https://github.com',
    }),
    client_id: key(text('text'), 'Id under which Postern is registered with the provider.'),
    client_secret: key(
      text('a secret such as "${CLIENT_SECRET}" or "${file:/run/secrets/client}"'),
      'Secret that belongs to it. Without one: a public client with PKCE alone.',
      { examples: ['${KEYCLOAK_SECRET}'] },
    ),
    client_auth: key(
      word('basic', 'post', 'none'),
      'How the secret is sent to the token endpoint. Without it: as the provider says in its discovery document.',
    ),
    scopes: key(oneOrMore(text('a scope'), 'a list of scopes'), 'Scopes to ask for. Without it: those of the type.', {
      examples: [['openid', 'profile', 'email']],
    }),
    user_claim: key(
      oneOrMore(text(CLAIM), 'a list of claims'),
      "Claim that becomes the person's name in `user:`; the first of a list that is there.",
      { examples: ['preferred_username'] },
    ),
    groups_claim: key(
      oneOrMore(text(CLAIM), 'a list of claims'),
      'Claims that hold the groups: a name, or a path with dots; `\\.` is a dot within a name, `*` any name.',
      { examples: ['groups'] },
    ),
    roles_claim: key(oneOrMore(text(CLAIM), 'a list of claims'), 'The same for roles.', {
      examples: ['realm_access.roles'],
    }),
    email_domains: key(
      oneOrMore(text('a domain such as "example.com", or "*"'), 'a list of domains'),
      'Domains whose addresses this provider may vouch for. Others count as no address. `"*"`: all.',
      { examples: [['example.com']] },
    ),
    trust_email: key(flag(), '`true`: addresses count as verified although the provider does not say so.', {
      default: false,
    }),
    hosted_domain: key(
      oneOrMore(text('a domain such as "example.com"'), 'a list of domains'),
      '`google`: only accounts of this Workspace domain, or of one of these.',
      { examples: [['example.com', 'example.org']] },
    ),
    directory: key(
      section(
        {
          admin: key(text('an address'), 'Address of an administrator, in whose name the directory is asked.'),
          service_account: key(
            text('a secret such as "${file:/run/secrets/google.json}"'),
            'JSON key of a service account with domain-wide delegation. Without it: what the machine runs as.',
          ),
          principal: key(
            text('the address of a service account'),
            'Service account that signs for what the machine runs as.',
          ),
        },
        'a map with "admin"',
      ) as z.ZodType<DirectoryInput>,
      '`google`: groups of the Workspace directory become `group:` (`group:dev@example.com`), nested ones where a rule names them.',
      { examples: [{ admin: 'admin@example.com', service_account: '${file:/run/secrets/google.json}' }] },
    ),
    prompt: key(
      text('"login", "consent", "select_account" …'),
      '`prompt` of every sign-in (OpenID Connect): `login`, `consent`, `select_account`. `none`: only who is signed in at the provider already comes in.',
      { examples: ['select_account'] },
    ),
    acr_values: key(
      oneOrMore(text('a context class'), 'a list of context classes'),
      'Authentication context that is asked for, and must come back as `acr`.',
    ),
    second_factor: key(
      secondFactorShape,
      'What in an ID token counts as a second factor, for `require: second-factor`. Where a route asks for one that the session has not shown, people are sent back to the provider with the `acr` of this list.',
      { examples: [{ acr: ['urn:example:mfa'] }, { amr: ['otp', 'hwk'] }] },
    ),
    max_age: key(duration(), 'Longest time since the person last proved who they are to the provider.'),
    clock_tolerance: key(duration(), "How far the provider's clock may be off.", { default: '1m' }),
    recheck: key(
      duration(),
      'How often groups and roles are looked at again while somebody is signed in; where thousands are due at once, of 20 people a second, after a minute of 100; of fewer where that takes much of a core.',
      {
        default: '5m',
      },
    ),
    logout: key(flag(), '`false`: signing out ends the session here, not the one with the provider.', {
      default: true,
    }),
    internal_url: key(
      text(URL_TEXT),
      'Where Postern itself reaches the provider, instead of by the public address of its issuer.',
      { examples: ['http://keycloak:8080'] },
    ),
    ca: key(text('the path of a file'), "PEM file with the CA that signs the provider's certificate."),
    bearer: key(
      section(
        {
          audience: key(
            oneOrMore(text('an audience such as "postern"'), 'a list of audiences'),
            'What `aud` of a token must hold: one of these.',
          ),
          azp: key(
            oneOrMore(text('a client id'), 'a list of client ids'),
            'Clients that may have asked for the token. Without it: any of the provider.',
          ),
        },
        'a map with "audience"',
      ) as z.ZodType<BearerInput>,
      'Access tokens (JWT) of this provider count as `Authorization: Bearer`, for machines that get one there. Without it they pass to the app.',
      { examples: [{ audience: 'postern', azp: ['ci'] }] },
    ),
  },
  'a map with "type"',
);
