/** Who signs people in: an OpenID provider, GitHub, another kind, a password file. */
import { quote } from '../finding.ts';
import type { Findings } from '../finding.ts';
import type { ProviderKind } from '../../settings.ts';
import type { GuardValues } from './guard-flags.ts';
import type { Give } from './load-guard.ts';

const ISSUERS: Readonly<Partial<Record<string, string>>> = { gitlab: 'https://gitlab.com' };
const PLAIN_SCOPE = 'openid email profile';
const OWN_SCOPES: readonly string[] = ['github', 'gitea', 'google', 'gitlab'];

export function guardIdentity(values: GuardValues, give: Give, findings: Findings): ProviderKind {
  const text = (flag: string): string | null => values.get(flag)?.values[0] ?? null;
  const fault = (flag: string, message: string, remedy: string): void =>
    findings.add({ severity: 'error', option: flag, source: values.get(flag)?.source ?? 'not given', message, remedy });
  const passwords = text('passwords');
  if (passwords !== null) give('htpasswd_file', passwords, 'passwords');
  const server = text('github-url');
  const isGithub = text('github') === 'true' || server !== null;
  const kind = text('provider') ?? (isGithub ? 'github' : 'oidc');
  const issuer = text('issuer') ?? ISSUERS[kind] ?? null;
  if (isGithub && (text('issuer') !== null || (text('provider') ?? 'github') !== 'github'))
    fault('github', 'is given beside another provider', 'keep one of them');
  if (issuer === null && text('provider') === null && !isGithub) return withoutProvider({ text, give, fault });
  give('provider', kind, isGithub ? 'github' : 'provider');
  if (server !== null) giveServer(server, give, fault);
  if (issuer !== null) give('oidc_issuer_url', issuer, 'issuer');
  for (const [flag, key] of [
    ['client-id', 'client_id'],
    ['client-secret', 'client_secret'],
    ['client-secret-file', 'client_secret_file'],
    ['name', 'provider_display_name'],
  ] as const) {
    const value = text(flag);
    if (value !== null) give(key, value, flag);
  }
  // The scope `groups` is asked for by nobody who did not say so: many providers refuse what they do not define.
  const scope = text('scope') ?? (OWN_SCOPES.includes(kind) ? null : PLAIN_SCOPE);
  if (scope !== null) give('scope', scope, 'scope');
  give('provider_ca_files', values.get('ca')?.values ?? [], 'ca');
  give('use_system_trust_store', true);
  give('skip_provider_button', passwords === null);
  return kind as ProviderKind;
}

/** Its addresses are those of every Enterprise Server. */
function giveServer(server: string, give: Give, fault: Asking['fault']): void {
  if (!/^https?:\/\//i.test(server) || !URL.canParse(server) || new URL(server).pathname !== '/')
    return fault('github-url', `is ${quote(server)}, no address`, 'write https://github.example.com');
  const { origin } = new URL(server);
  give('login_url', `${origin}/login/oauth/authorize`, 'github-url');
  give('redeem_url', `${origin}/login/oauth/access_token`, 'github-url');
  give('validate_url', `${origin}/api/v3/`, 'github-url');
}

interface Asking {
  readonly text: (flag: string) => string | null;
  readonly give: Give;
  readonly fault: (flag: string, message: string, remedy: string) => void;
}

/** The password file alone. The options beneath want a client: none is ever used. */
function withoutProvider({ text, give, fault }: Asking): ProviderKind {
  if (text('passwords') === null)
    fault(
      'issuer',
      'is not given, so nobody could sign in',
      'write --issuer URL, --github, --provider KIND or --passwords FILE',
    );
  for (const flag of ['client-id', 'client-secret', 'client-secret-file', 'scope', 'name']) {
    const value = text(flag);
    if (value === null) continue;
    const shown = quote(value, flag === 'client-secret');
    fault(flag, `is ${shown}, and there is no provider`, 'write --issuer URL, --github or --provider KIND');
  }
  give('provider', 'github');
  give('client_id', 'none');
  give('client_secret', 'none');
  return 'none';
}
