/** Who may enter, what needs no sign-in, tokens of machines, the password file. */
import { statSync } from 'node:fs';
import { RE2JSSyntaxException } from 're2js';
import { compileRegExp } from '../regular-expression.ts';
import { unreadable } from './build-secret.ts';
import type { BuildContext } from './context.ts';
import type { CompiledRegExp } from '../regular-expression.ts';
import type { AdmissionSettings, BearerSettings, HtpasswdSettings, SkipRoute, SkipSettings } from '../settings.ts';
import type { Told } from './told.ts';

export function buildAdmission({ told }: BuildContext): AdmissionSettings {
  const emailDomains = told.list('email_domains').map((domain) => domain.toLowerCase());
  const emailsFile = told.text('authenticated_emails_file');
  if (emailsFile !== null) checkFile(told, 'authenticated_emails_file');
  if (emailDomains.length === 0 && emailsFile === null && told.text('htpasswd_file') === null) {
    const remedy =
      'set it to your domain, to "*" for everybody whom the provider signs in, or give authenticated_emails_file';
    told.fault('email_domains', 'is not given, so nobody could enter', remedy);
  }
  for (const domain of emailDomains) {
    if (!domain.startsWith('@')) continue;
    const remedy = `write "${domain.slice(1)}"`;
    told.fault('email_domains', `holds ${told.quoted('email_domains', domain)}, which matches nobody`, remedy);
  }
  return { emailDomains, emailsFile, groups: allowedGroups(told) };
}

/** Empty items count for nothing: a list of nothing else would let everybody in. */
function allowedGroups(told: Told): readonly string[] {
  const kind = told.string('provider');
  const keycloak = kind.startsWith('keycloak') ? told.list('keycloak_groups') : [];
  const key = keycloak.length > 0 ? 'keycloak_groups' : 'allowed_groups';
  const isInstead = kind === 'keycloak' && keycloak.length > 0;
  const all = isInstead ? keycloak : [...told.list('allowed_groups'), ...keycloak];
  const groups = all.filter((group) => group !== '');
  if (all.length > 0 && groups.length === 0)
    told.fault(key, 'holds only an empty item, and would restrict nobody', 'name a group, or take it out');
  return [...new Set(groups)];
}

function checkFile(told: Told, key: string): boolean {
  try {
    if (statSync(told.string(key)).isFile()) return true;
    told.fault(key, `is ${told.quoted(key)}, which is no file`, 'give the path of a file');
  } catch (error) {
    told.fault(key, `is ${told.quoted(key)}, which ${unreadable(error)}`, 'check the path and its permissions');
  }
  return false;
}

export function buildHtpasswd({ told }: BuildContext): HtpasswdSettings | null {
  const file = told.text('htpasswd_file');
  if (file === null) return null;
  checkFile(told, 'htpasswd_file');
  return {
    file,
    groups: told.list('htpasswd_user_groups'),
    showsForm: told.bool('display_htpasswd_form'),
    namesAreEmails: told.bool('prefer_email_to_user'),
  };
}

export function buildSkip({ told }: BuildContext): SkipSettings {
  const routes = [
    ...told.list('skip_auth_regex').flatMap((source) => skipRoute(told, 'skip_auth_regex', { source })),
    ...told.list('skip_auth_routes').flatMap((entry) => skipRouteOf(told, entry)),
  ];
  return {
    routes,
    preflight: told.bool('skip_auth_preflight'),
    apiRoutes: told.list('api_routes').flatMap((source) => expression(told, 'api_routes', source) ?? []),
    providerButton: told.bool('skip_provider_button'),
    forceJsonErrors: told.bool('force_json_errors'),
    allowQuerySemicolons: told.bool('allow_query_semicolons'),
  };
}

/** METHOD=REGEX and its kin. The original cuts at the first "=", so one within the expression is taken for it. */
function skipRouteOf(told: Told, entry: string): readonly SkipRoute[] {
  const key = 'skip_auth_routes';
  const cut = /!?=/.exec(entry);
  if (cut === null) return skipRoute(told, key, { source: entry });
  const method = entry.slice(0, cut.index).toUpperCase();
  const source = entry.slice(cut.index + cut[0].length);
  const remedy = 'write METHOD=REGEX or REGEX; for an "=" within a regular expression write "\\x3d"';
  if (!/^[A-Z]*$/.test(method)) {
    told.fault(key, `holds ${told.quoted(key, entry)}, where "${method}" is no method`, remedy);
    return [];
  }
  // The original negates wherever the entry holds "!=", though it be in the expression.
  if (cut[0] === '=' && entry.includes('!=')) {
    told.fault(key, `holds ${told.quoted(key, entry)}, where "!=" comes after "="`, remedy);
    return [];
  }
  if (source === '') {
    told.fault(key, `holds ${told.quoted(key, entry)}, which has no regular expression`, remedy);
    return [];
  }
  return skipRoute(told, key, { source, method: method === '' ? null : method, isNegated: cut[0] === '!=' });
}

function skipRoute(
  told: Told,
  key: string,
  { source, method = null, isNegated = false }: { source: string; method?: string | null; isNegated?: boolean },
): readonly SkipRoute[] {
  const pattern = expression(told, key, source);
  if (pattern === null) return [];
  warnOpen(told, key, pattern, isNegated);
  return [{ method, isNegated, pattern }];
}

/** What lets everything through was hardly meant: an unanchored expression matches anywhere in a path. */
function warnOpen(told: Told, key: string, pattern: CompiledRegExp, isNegated: boolean): void {
  const open = pattern.matches('/') && pattern.matches('/zq7/x') && pattern.matches('/oauth2/auth');
  if (open !== isNegated)
    told.warn(
      key,
      `holds ${told.quoted(key, pattern.source)}, which needs no sign-in for any path`,
      'begin it with "^/"',
    );
  else if (!isNegated && !/^\(*(?:\?[a-z]+\)|\?:)?\^/.test(pattern.source)) {
    const message = `holds ${told.quoted(key, pattern.source)}, which matches anywhere in a path`;
    told.warn(key, message, 'begin it with "^", and end it with "$" where nothing may follow');
  }
}

/** Null: it is none, which was reported. */
export function expression(told: Told, key: string, source: string): CompiledRegExp | null {
  try {
    return compileRegExp(source);
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    const reason = error.message.replace(/^error parsing regexp: /, '');
    const remedy = 'write it as RE2 reads it: https://github.com/google/re2/wiki/Syntax';
    told.fault(key, `holds ${told.quoted(key, source)}, no regular expression: ${reason}`, remedy);
    return null;
  }
}

export function buildBearer({ told }: BuildContext): BearerSettings {
  const accepts = told.bool('skip_jwt_bearer_tokens');
  if (!accepts && told.list('extra_jwt_issuers').length > 0)
    told.warn('extra_jwt_issuers', 'has no effect without skip_jwt_bearer_tokens', 'set that, or take it out');
  const extraIssuers = told.list('extra_jwt_issuers').flatMap((entry) => {
    const equals = entry.indexOf('=');
    const [issuer, audience] = [entry.slice(0, Math.max(equals, 0)), entry.slice(equals + 1)];
    if (equals > 0 && audience !== '' && /^https?:\/\//.test(issuer) && URL.canParse(issuer))
      return [{ issuer, audience }];
    const message = `holds ${told.quoted('extra_jwt_issuers', entry)}, not ISSUER=AUDIENCE`;
    told.fault('extra_jwt_issuers', message, 'write https://issuer.example.com=my-audience');
    return [];
  });
  return { accepts, fallsBack: told.bool('bearer_token_login_fallback'), extraIssuers };
}
