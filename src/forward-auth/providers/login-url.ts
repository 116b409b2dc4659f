/** The address that a person is sent to, as oauth2-proxy writes it: parameters sorted by name. */
import type { LoginWish } from '../ports.ts';
import type { LoginParameter } from '../settings.ts';

export interface LoginAddress {
  readonly base: string;
  readonly clientId: string;
  /** Null: none is sent. */
  readonly scope: string | null;
  readonly parameters: readonly LoginParameter[];
  readonly responseMode: string | null;
  readonly extra?: Readonly<Record<string, string>>;
  /** How this kind is made to ask for another account; left out: "login" (OpenID Connect Core section 3.1.2.1). */
  readonly switchPrompt?: 'login' | 'select_account';
}

export function buildLoginUrl(address: LoginAddress, wish: LoginWish): string {
  const url = new URL(address.base);
  const query = url.searchParams;
  for (const parameter of address.parameters) addParameter(query, parameter, wish.overrides);
  if (wish.switchesAccount === true) {
    query.set('prompt', address.switchPrompt ?? 'login');
    // Google takes only one of the two.
    query.delete('approval_prompt');
  }
  if (address.responseMode !== null) query.set('response_mode', address.responseMode);
  for (const [name, value] of Object.entries(address.extra ?? {})) query.set(name, value);
  if (wish.nonce !== null) query.set('nonce', wish.nonce);
  if (wish.codeChallenge !== null) {
    query.set('code_challenge', wish.codeChallenge.challenge);
    query.set('code_challenge_method', wish.codeChallenge.method);
  }
  // Last, so that nothing above, not even a parameter of the operator, can say otherwise.
  if (address.scope !== null) query.set('scope', address.scope);
  query.set('client_id', address.clientId);
  query.set('redirect_uri', wish.redirectUri);
  query.set('response_type', 'code');
  query.set('state', wish.state);
  query.sort();
  return url.href;
}

/** The person's own values where each is allowed, else the defaults. */
function addParameter(query: URLSearchParams, parameter: LoginParameter, overrides: URLSearchParams): void {
  const { name, allow } = parameter;
  const own = overrides
    .getAll(name)
    .filter((given) => allow.some((rule) => ('value' in rule ? rule.value === given : rule.pattern.matches(given))));
  const values = own.length > 0 ? own : parameter.default;
  if (values.length > 0) query.delete(name);
  for (const value of values) query.append(name, value);
}
