/** Prints `sign_in` and `providers` as they are in effect. */
import { formatDuration } from '../../core/durations.ts';
import { SECRET, shownRules, type Shown } from './words.ts';
import type { Document } from '../document.ts';
import type { Provider } from '../document/providers.ts';

export function shownSignIn(signIn: Document['signIn']): Shown {
  return {
    provider: signIn.provider ?? undefined,
    url: signIn.url ?? undefined,
    name: signIn.branding.name,
    logo: signIn.branding.logo === null ? undefined : '(an image)',
    color: signIn.branding.color ?? undefined,
    keep_fragment: signIn.keepsFragment ? true : undefined,
    show_rule_to: signIn.showRuleTo.length === 0 ? undefined : shownRules(signIn.showRuleTo),
  };
}

export function shownProvider(provider: Provider): Shown {
  if (provider.type === 'local') return { type: 'local' };
  const common = {
    name: provider.label,
    client_id: provider.clientId,
    client_secret: provider.clientSecret === null ? undefined : SECRET,
    scopes: provider.scopes,
    email_domains: provider.emailDomains,
    recheck: formatDuration(provider.recheckMs),
    ca: provider.caPem === null ? undefined : '(certificates)',
  };
  if (provider.type === 'github') return { type: 'github', url: provider.url, ...common };
  return {
    type: provider.preset,
    issuer: provider.issuer,
    ...common,
    client_auth: provider.clientAuth === 'auto' ? undefined : provider.clientAuth,
    user_claim: provider.userClaims,
    groups_claim: provider.groupsClaims,
    roles_claim: provider.rolesClaims,
    trust_email: provider.trustEmail,
    hosted_domain: provider.hostedDomains.length === 0 ? undefined : provider.hostedDomains,
    directory:
      provider.directory === null
        ? undefined
        : {
            admin: provider.directory.admin,
            service_account: provider.directory.serviceAccount === null ? undefined : SECRET,
            principal: provider.directory.principal ?? undefined,
          },
    prompt: provider.prompt ?? undefined,
    acr_values: provider.acrValues.length === 0 ? undefined : provider.acrValues,
    second_factor: { acr: provider.secondFactor.acr, amr: provider.secondFactor.amr },
    max_age: provider.maxAgeSeconds === null ? undefined : formatDuration(provider.maxAgeSeconds * 1_000),
    clock_tolerance: formatDuration(provider.clockToleranceMs),
    logout: provider.logout,
    bearer:
      provider.bearer === null
        ? undefined
        : { audience: provider.bearer.audiences, azp: provider.bearer.parties ?? undefined },
    internal_url: provider.internalUrl ?? undefined,
  };
}
