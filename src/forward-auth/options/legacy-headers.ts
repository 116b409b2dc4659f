/**
 * The older header options as structured headers, in the original's order and with its odd corners: user
 * headers come with `pass-basic-auth` too, and `prefer-email-to-user` leaves X-Forwarded-Email out.
 */
import type { Told } from './told.ts';
import type { HeaderInput, SecretSourceInput } from './structured.ts';

export function legacyRequestHeaders(told: Told): readonly HeaderInput[] {
  const headers: HeaderInput[] = [];
  const keeps = !told.bool('skip_auth_strip_headers');
  const add = (option: string, name: string, claim: string, extra: Partial<Claim> = {}): void => {
    headers.push(claimHeader({ told, option, name, claim, keeps, ...extra }));
  };
  const prefersEmail = told.bool('prefer_email_to_user');
  const user = prefersEmail ? 'email' : 'user';
  const password = told.string('basic_auth_password');
  if (told.bool('pass_basic_auth') && password !== '') {
    add('pass_basic_auth', 'Authorization', user, { prefix: 'Basic ', password });
  }
  if (told.bool('pass_basic_auth') || told.bool('pass_user_headers')) {
    add('pass_user_headers', 'X-Forwarded-Groups', 'groups');
    add('pass_user_headers', 'X-Forwarded-User', user);
    if (!prefersEmail) add('pass_user_headers', 'X-Forwarded-Email', 'email');
    add('pass_user_headers', 'X-Forwarded-Preferred-Username', 'preferred_username');
  }
  if (told.bool('pass_access_token')) add('pass_access_token', 'X-Forwarded-Access-Token', 'access_token');
  if (told.bool('pass_authorization_header')) {
    add('pass_authorization_header', 'Authorization', 'id_token', { prefix: 'Bearer ' });
  }
  return headers;
}

export function legacyResponseHeaders(told: Told): readonly HeaderInput[] {
  const headers: HeaderInput[] = [];
  const add = (option: string, name: string, claim: string, extra: Partial<Claim> = {}): void => {
    headers.push(claimHeader({ told, option, name, claim, keeps: false, ...extra }));
  };
  if (told.bool('set_xauthrequest')) {
    add('set_xauthrequest', 'X-Auth-Request-User', 'user');
    add('set_xauthrequest', 'X-Auth-Request-Email', 'email');
    add('set_xauthrequest', 'X-Auth-Request-Preferred-Username', 'preferred_username');
    add('set_xauthrequest', 'X-Auth-Request-Groups', 'groups');
    if (told.bool('pass_access_token')) add('pass_access_token', 'X-Auth-Request-Access-Token', 'access_token');
  }
  if (told.bool('set_basic_auth')) {
    const claim = told.bool('prefer_email_to_user') ? 'email' : 'user';
    add('set_basic_auth', 'Authorization', claim, { prefix: 'Basic ', password: told.string('basic_auth_password') });
  }
  if (told.bool('set_authorization_header')) {
    add('set_authorization_header', 'Authorization', 'id_token', { prefix: 'Bearer ' });
  }
  return headers;
}

interface Claim {
  readonly told: Told;
  readonly option: string;
  readonly name: string;
  readonly claim: string;
  readonly keeps: boolean;
  readonly prefix?: string;
  readonly password?: string;
}

function claimHeader({ told, option, name, claim, keeps, prefix = '', password }: Claim): HeaderInput {
  const basicAuthPassword: SecretSourceInput | null =
    password === undefined ? null : { value: password, fromEnv: null, fromFile: null };
  return {
    option,
    source: told.sourceOf(option),
    name,
    preserveRequestValue: keeps,
    insecureSkipHeaderNormalization: false,
    values: [{ kind: 'claim', source: { claim, prefix, basicAuthPassword } }],
  };
}
