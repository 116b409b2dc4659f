/** Reads `providers:`: which keys a type takes, and what its preset fills in. */
import { didYouMean } from '../../core/did-you-mean.ts';
import type { Path } from '../document/path.ts';
import type {
  BearerSettings,
  DirectorySettings,
  GithubProvider,
  OidcProvider,
  Provider,
} from '../document/providers.ts';
import { parseDnsName } from '../host-name.ts';
import { PROVIDER_PRESETS, type ProviderPreset } from '../presets/providers.ts';
import { fault } from '../reading.ts';
import type { ProviderInput } from '../schema/providers.ts';
import { type Context, entriesOf } from './context.ts';
import { readUnit } from './limits.ts';
import { readPrompt } from './prompt.ts';

const LOCAL_ID = 'local';
const LOCAL: readonly Provider[] = [{ id: LOCAL_ID, type: 'local', emailDomains: ['*'], at: ['providers', LOCAL_ID] }];
const PROVIDER_ID = /^[a-z][a-z0-9_-]{0,31}$/;
/** They stand where a provider's id may stand, at the head of a rule. */
const RULE_WORDS: ReadonlySet<string> = new Set(
  'public signed-in user email email-domain group role org team service token link ip client-certificate country all when'.split(
    ' ',
  ),
);
const LEAST_RECHECK_MS = 10_000;
const MOST_TOLERANCE_MS = 600_000;

const COMMON = ['type', 'name', 'client_id', 'client_secret', 'scopes', 'email_domains', 'recheck', 'ca'] as const;
const OIDC_ONLY =
  'issuer client_auth user_claim groups_claim roles_claim trust_email hosted_domain directory prompt acr_values second_factor max_age clock_tolerance logout internal_url bearer'.split(
    ' ',
  );
const GOOGLE_ONLY = ['hosted_domain', 'directory'];
const KEYS: Readonly<Record<Provider['type'], readonly string[]>> = {
  local: ['type'],
  oidc: [...COMMON, ...OIDC_ONLY],
  github: [...COMMON, 'url'],
};
const TYPES: readonly string[] = ['local', 'github', ...Object.keys(PROVIDER_PRESETS)];

interface Place {
  readonly id: string;
  readonly at: Path;
  readonly insecureHttp: boolean;
}

export function readProviders(
  input: Readonly<Record<string, ProviderInput>> | undefined,
  insecureHttp: boolean,
  context: Context,
): readonly Provider[] {
  if (input === undefined) return LOCAL;
  const found: Provider[] = [];
  for (const [id, provider] of Object.entries(input)) {
    if (provider === undefined) continue;
    const at = ['providers', id];
    checkId(id, provider, at, context);
    const read = readProvider(provider, { id, at, insecureHttp }, context);
    if (read !== null) found.push(read);
  }
  return found;
}

function checkId(id: string, provider: ProviderInput, at: Path, context: Context): void {
  if (!PROVIDER_ID.test(id)) {
    const remedy = 'write a short name in lower case such as "local"';
    context.fault(at, fault('is no provider id', remedy), { isAtKey: true });
  } else if (RULE_WORDS.has(id)) {
    context.fault(at, fault('is a word of rules, so it can be no provider id', 'choose another name'), {
      isAtKey: true,
    });
  } else if ((id === LOCAL_ID) !== (provider.type === LOCAL_ID) && provider.type !== undefined) {
    const wrong = id === LOCAL_ID ? 'is kept for local accounts' : `has the type of local accounts`;
    const remedy = id === LOCAL_ID ? 'choose another name' : 'write "local: { type: local }"';
    context.fault(at, fault(wrong, remedy), { isAtKey: true });
  }
}

function readProvider(input: ProviderInput, place: Place, context: Context): Provider | null {
  const { id, at } = place;
  const { type } = input;
  if (type === undefined) {
    if (!context.isBroken([...at, 'type'])) context.report(at, 'has no "type"', 'add "type: local"');
    return null;
  }
  if (!TYPES.includes(type)) {
    const meant = didYouMean(type, TYPES);
    const remedy =
      meant === null ? 'write "type: oidc" for any OpenID provider, or "type: local"' : `did you mean "${meant}"?`;
    const list = TYPES.map((one) => `"${one}"`).join(', ');
    context.report([...at, 'type'], `is not a type that this version knows: it knows ${list}`, remedy);
    return null;
  }
  const kind = type === 'local' || type === 'github' ? type : 'oidc';
  refuseMore(input, { at, type, kind }, context);
  if (kind === 'local') return { id, type: kind, emailDomains: ['*'], at };
  return kind === 'github' ? readGithub(input, place, context) : readOidc(input, type, place, context);
}

function refuseMore(
  input: ProviderInput,
  { at, type, kind }: { readonly at: Path; readonly type: string; readonly kind: Provider['type'] },
  context: Context,
): void {
  const known = KEYS[kind].filter((key) => !GOOGLE_ONLY.includes(key) || type === 'google');
  for (const key of Object.keys(input)) {
    if (known.includes(key)) continue;
    const list = known.map((one) => `"${one}"`).join(', ');
    context.fault([...at, key], fault(`is not a key of the type "${type}"`, `keys of "${type}": ${list}`), {
      isAtKey: true,
    });
  }
}

function readOidc(input: ProviderInput, type: string, place: Place, context: Context): OidcProvider | null {
  const { id, at } = place;
  const preset = PROVIDER_PRESETS[type] as ProviderPreset;
  const issuer = readIssuer(input.issuer ?? preset.issuer ?? undefined, preset, place, context);
  const clientId = readText(input.client_id, [...at, 'client_id'], 'the id of the client at the provider', context);
  const clientSecret = readSecret(input, place, context);
  const hostedDomains = readDomains(input, 'hosted_domain', place, context);
  const emailDomains = readDomains(input, 'email_domains', place, context);
  if (issuer === null || clientId === null) return null;
  const { switchPrompt, parameters, readsAccessToken, overageUrl } = preset;
  const directory = readDirectory(input, place, context);
  return {
    id,
    type: 'oidc',
    preset: type,
    label: input.name ?? (type === 'oidc' ? id : preset.title),
    issuer,
    clientId,
    clientSecret,
    clientAuth: input.client_auth === 'basic' || input.client_auth === 'post' ? input.client_auth : 'auto',
    scopes: readScopes(input, preset.scopes, place, context),
    userClaims: listOf(input.user_claim, preset.userClaims),
    groupsClaims: listOf(input.groups_claim, directory === null ? preset.groupsClaims : ['groups']),
    rolesClaims: listOf(input.roles_claim, preset.rolesClaims),
    readsAccessToken,
    overageUrl,
    emailDomains: input.email_domains === undefined ? hostedDomains : emailDomains,
    trustEmail: input.trust_email ?? false,
    hostedDomains,
    directory,
    prompt: readPrompt(input.prompt, at, context),
    switchPrompt,
    acrValues: listOf(input.acr_values, []),
    secondFactor: { acr: listOf(input.second_factor?.acr, []), amr: listOf(input.second_factor?.amr, ['mfa']) },
    maxAgeSeconds: readSeconds(input, place, context),
    parameters: { ...parameters, ...hostedParameter(hostedDomains) },
    clockToleranceMs: readTolerance(input, place, context),
    recheckMs: readRecheck(input, place, context),
    logout: input.logout ?? true,
    internalUrl: readOrigin(input.internal_url, [...at, 'internal_url'], context),
    caPem: input.ca === undefined ? null : context.readNamedFile(input.ca, [...at, 'ca']),
    bearer: readBearer(input, place, context),
    at,
  };
}

/** A token for everybody's app would be a token for ours: an audience must be named. */
function readBearer({ bearer }: ProviderInput, { at }: Place, context: Context): BearerSettings | null {
  if (bearer === undefined) return null;
  const path = [...at, 'bearer'];
  const audiences = listOf(bearer.audience, []).filter((one) => one !== '');
  if (audiences.length === 0 && !context.isBroken([...path, 'audience']))
    context.report(path, 'has no "audience"', 'add "audience": what `aud` of the tokens must hold');
  const parties = bearer.azp === undefined ? null : listOf(bearer.azp, []);
  return audiences.length === 0 ? null : { audiences, parties };
}

function readDirectory({ directory }: ProviderInput, { at }: Place, context: Context): DirectorySettings | null {
  if (directory === undefined) return null;
  const path = [...at, 'directory'];
  const { admin, service_account: key, principal } = directory;
  if (admin === undefined || parseEmail(admin) === null) {
    if (admin !== undefined)
      context.report([...path, 'admin'], 'is no address', 'write one such as "admin@example.com"');
    else if (!context.isBroken([...path, 'admin']))
      context.report(path, 'has no "admin"', 'add "admin": the address of an administrator');
    return null;
  }
  if (key !== undefined && !isAccountKey(key)) {
    const remedy = 'write "${file:/run/secrets/google.json}", the key file as Google made it';
    context.fault([...path, 'service_account'], fault('is no JSON key of a service account', remedy), {
      isSecret: true,
    });
    return null;
  }
  return { admin, serviceAccount: key ?? null, principal: principal ?? null };
}

function parseEmail(text: string): string | null {
  return /^[^\s@]+@[^\s@]+$/.test(text) ? text : null;
}

function isAccountKey(text: string): boolean {
  try {
    const { client_email: email, private_key: key } = JSON.parse(text) as Record<string, unknown>;
    return typeof email === 'string' && typeof key === 'string';
  } catch {
    return false;
  }
}

function readGithub(input: ProviderInput, place: Place, context: Context): GithubProvider | null {
  const { id, at } = place;
  const url = readOrigin(input.url, [...at, 'url'], context) ?? 'https://github.com';
  refusePlain(url, [...at, 'url'], place, context);
  refuseApi(url, [...at, 'url'], context);
  const clientId = readText(input.client_id, [...at, 'client_id'], 'the client id of the OAuth app', context);
  const clientSecret = readSecret(input, place, context);
  if (clientSecret === null && input.client_secret === undefined && !context.isBroken([...at, 'client_secret']))
    context.report(at, 'has no "client_secret"', 'add the secret of the OAuth app, such as "${GITHUB_SECRET}"');
  if (clientId === null || clientSecret === null) return null;
  return {
    id,
    type: 'github',
    label: input.name ?? 'GitHub',
    url,
    clientId,
    clientSecret,
    scopes: listOf(input.scopes, ['read:user', 'user:email', 'read:org']),
    emailDomains: readDomains(input, 'email_domains', place, context),
    recheckMs: readRecheck(input, place, context),
    caPem: input.ca === undefined ? null : context.readNamedFile(input.ca, [...at, 'ca']),
    at,
  };
}

function listOf(input: string | readonly string[] | undefined, fallback: readonly string[]): readonly string[] {
  if (input === undefined) return fallback;
  return (Array.isArray(input) ? (input as readonly (string | undefined)[]) : [input as string]).filter(
    (one): one is string => one !== undefined,
  );
}

function readScopes(
  input: ProviderInput,
  fallback: readonly string[],
  { at }: Place,
  context: Context,
): readonly string[] {
  const scopes = listOf(input.scopes, fallback).flatMap((one) => one.split(/\s+/).filter((word) => word !== ''));
  const odd = scopes.find((one) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(one));
  if (odd !== undefined) context.report([...at, 'scopes'], `has "${odd}", which is no scope`);
  // Without it the provider answers as plain OAuth, and says nothing of who it is.
  return scopes.includes('openid') ? scopes : ['openid', ...scopes];
}

function readText(text: string | undefined, at: Path, what: string, context: Context): string | null {
  if (text !== undefined && text !== '') return text;
  const key = String(at.at(-1));
  if (text === '') context.report(at, 'is empty', `write ${what}`);
  else if (!context.isBroken(at)) context.report(at.slice(0, -1), `has no "${key}"`, `add "${key}": ${what}`);
  return null;
}

function readSecret(input: ProviderInput, { at }: Place, context: Context): string | null {
  const { client_secret: secret, client_auth: auth } = input;
  const path = [...at, 'client_secret'];
  if (secret === '') context.report(path, 'is empty', 'write the secret, or remove the key for a public client');
  if (secret !== undefined && auth === 'none') context.report([...at, 'client_auth'], 'is "none" beside a secret');
  if (secret === undefined && auth !== undefined && auth !== 'none' && !context.isBroken(path))
    context.report([...at, 'client_auth'], 'needs a "client_secret"');
  return secret === undefined || secret === '' ? null : secret;
}

function readIssuer(
  text: string | undefined,
  preset: ProviderPreset,
  { at, insecureHttp }: Place,
  context: Context,
): string | null {
  const path = [...at, 'issuer'];
  if (text === undefined) {
    if (!context.isBroken(path)) context.report(at, 'has no "issuer"', `add "issuer: ${preset.issuerExample}"`);
    return null;
  }
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || text.includes('@')) {
    context.report(path, 'is not the URL of an issuer', `write one such as "${preset.issuerExample}"`);
    return null;
  }
  if (text.includes('/.well-known/')) {
    context.report(path, 'is a discovery document', `write "${text.slice(0, text.indexOf('/.well-known/'))}"`);
    return null;
  }
  if (
    /^login\.microsoftonline\.com$/.test(url.hostname) &&
    /^\/(?:common|organizations|consumers)\b/.test(url.pathname)
  ) {
    context.report(path, 'lets in every tenant of Microsoft', `write "${preset.issuerExample}" with your tenant`);
    return null;
  }
  if (url.protocol === 'http:' && !insecureHttp && !isLoopback(url.hostname)) {
    const remedy = `write "https://${url.host}${url.pathname}", or set "session.insecure_http: true"`;
    context.report(path, 'is plain HTTP, over which tokens can be read', remedy);
    return null;
  }
  // "https://id.example.com/" and "https://id.example.com" are two names of an issuer: kept as written.
  return text;
}

function refusePlain(url: string, at: Path, { insecureHttp }: Place, context: Context): void {
  const { protocol, hostname, host } = new URL(url);
  if (protocol === 'http:' && !insecureHttp && !isLoopback(hostname))
    context.report(at, 'is plain HTTP, over which tokens can be read', `write "https://${host}"`);
}

/** People sign in at the one, and the API is found from there. */
function refuseApi(url: string, at: Path, context: Context): void {
  const own = /^https:\/\/(?:api|www)\.(github\.com|[a-z0-9-]+\.ghe\.com)$/.exec(url)?.[1];
  if (own !== undefined) context.report(at, 'is not where people sign in', `write "https://${own}"`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || /^127\.\d+\.\d+\.\d+$/.test(host) || host === '[::1]';
}

function readOrigin(text: string | undefined, at: Path, context: Context): string | null {
  if (text === undefined) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && !/[?#@]/.test(text)) return url.origin;
  const isWeb = url !== null && /^https?:$/.test(url.protocol) && url.host !== '';
  const remedy = isWeb ? `write "${url.origin}"` : 'write a URL such as "http://keycloak:8080"';
  context.report(at, 'is not a URL of scheme, host and port alone', remedy);
  return null;
}

function readDomains(
  input: ProviderInput,
  key: 'email_domains' | 'hosted_domain',
  { at }: Place,
  context: Context,
): readonly string[] {
  const found: string[] = [];
  const takesAll = key === 'email_domains';
  // Read as no wish it would let in every account of Google.
  if (!takesAll && Array.isArray(input[key]) && input[key].length === 0)
    context.report([...at, key], 'is empty', 'write a domain such as "example.com", or remove the key');
  for (const [text, place] of entriesOf<string>(input[key], [...at, key])) {
    const name = parseDnsName(text);
    if (takesAll && text === '*') found.push(text);
    else if (name.ok && name.value.includes('.')) found.push(name.value);
    else
      context.report(
        place,
        'is not a domain',
        `write a domain such as "example.com"${takesAll ? ', or "*" for all' : ''}`,
      );
  }
  return found;
}

/** Google takes one domain to choose accounts by, or any Workspace; the claim is what counts. */
function hostedParameter([domain, ...others]: readonly string[]): Readonly<Record<string, string>> {
  return domain === undefined ? {} : { hd: others.length === 0 ? domain : '*' };
}

function readSeconds(input: ProviderInput, { at }: Place, context: Context): number | null {
  if (input.max_age === undefined) return null;
  const ms = readUnit(input.max_age, { unit: 'duration', least: 0, at: [...at, 'max_age'] }, context);
  return ms === null || ms === undefined || !Number.isFinite(ms) ? null : Math.floor(ms / 1_000);
}

function readTolerance(input: ProviderInput, { at }: Place, context: Context): number {
  const path = [...at, 'clock_tolerance'];
  const ms =
    input.clock_tolerance === undefined
      ? 60_000
      : (readUnit(input.clock_tolerance, { unit: 'duration', least: 0, at: path }, context) ?? 60_000);
  if (ms <= MOST_TOLERANCE_MS) return ms;
  context.report(path, 'is longer than 10 minutes', 'set the clocks of both machines instead');
  return MOST_TOLERANCE_MS;
}

function readRecheck(input: ProviderInput, { at }: Place, context: Context): number {
  const path = [...at, 'recheck'];
  if (input.recheck === undefined) return 300_000;
  const ms = readUnit(input.recheck, { unit: 'duration', least: LEAST_RECHECK_MS, at: path }, context) ?? 300_000;
  if (Number.isFinite(ms)) return ms;
  context.report(path, 'has no end', 'write a duration such as "5m"');
  return 300_000;
}
