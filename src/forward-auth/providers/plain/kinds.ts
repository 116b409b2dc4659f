/**
 * Providers with an API of their own, each as what differs: addresses, scope, and where its answers say who
 * somebody is. Where oauth2-proxy leaves the user empty, so does this: the address names the person.
 */
import { claimAt, isTrue, textsOf } from '../claims.ts';
import { isUsable, textOf, type Claims } from '../../../sign-in/oauth/json.ts';
import { NotAdmitted, Refusal } from '../../../sign-in/oauth/failures.ts';
import type { Persona } from '../oidc/session.ts';
import type { Inquiry, PlainKind } from './kind.ts';

const NOBODY: Persona = { user: '', email: '', groups: [], preferredUsername: '', claims: {} };

/** One "@" (CVE-2026-40574), and nothing that an address does not have. */
const ADDRESS = /^[^\s@]+@[^\s@]+$/;

/** An address is all that is known of some, so there must be one. */
function addressIn(answer: Claims, path: string): string {
  const email = claimAt(answer, path);
  if (typeof email !== 'string' || !ADDRESS.test(email) || !isUsable(email))
    throw new Refusal(`the answer about the person has no "${path}"`);
  return email;
}

export const FACEBOOK: PlainKind = {
  name: 'Facebook',
  scope: 'public_profile email',
  urls: {
    login: 'https://www.facebook.com/v2.5/dialog/oauth',
    redeem: 'https://graph.facebook.com/v2.5/oauth/access_token',
    profile: 'https://graph.facebook.com/v2.5/me',
    validate: 'https://graph.facebook.com/v2.5/me',
  },
  takesPkce: false,
  async read({ ask, urls }) {
    const url = new URL(urls.profile);
    url.searchParams.set('fields', 'name,email');
    return { ...NOBODY, email: addressIn(await ask(url.href), 'email') };
  },
};

export const LINKEDIN: PlainKind = {
  name: 'LinkedIn',
  scope: 'r_emailaddress r_liteprofile',
  urls: {
    login: 'https://www.linkedin.com/oauth/v2/authorization',
    redeem: 'https://www.linkedin.com/uas/oauth2/accessToken',
    profile: 'https://api.linkedin.com/v2/emailAddress',
    validate: 'https://api.linkedin.com/v2/me',
  },
  takesPkce: false,
  async read({ ask, urls }) {
    // Its projections are no form: parentheses and stars must stay as they are.
    const answer = await ask(`${urls.profile}?q=members&projection=(elements*(handle~))`, {
      headers: { 'x-li-format': 'json' },
    });
    const first: unknown = Array.isArray(answer['elements']) ? (answer['elements'] as unknown[])[0] : undefined;
    return { ...NOBODY, email: addressIn({ first }, 'first.handle~.emailAddress') };
  },
};

export const DIGITALOCEAN: PlainKind = {
  name: 'DigitalOcean',
  scope: 'read',
  urls: {
    login: 'https://cloud.digitalocean.com/v1/oauth/authorize',
    redeem: 'https://cloud.digitalocean.com/v1/oauth/token',
    profile: 'https://api.digitalocean.com/v2/account',
    validate: 'https://api.digitalocean.com/v2/account',
  },
  takesPkce: false,
  async read({ ask, urls }) {
    const answer = await ask(urls.profile);
    const verified = claimAt(answer, 'account.email_verified');
    if (verified !== undefined && !isTrue(verified)) throw new NotAdmitted('the address of the person is not verified');
    return { ...NOBODY, email: addressIn(answer, 'account.email') };
  },
};

export const NEXTCLOUD: PlainKind = {
  name: 'Nextcloud',
  scope: '',
  urls: { login: '', redeem: '', profile: '', validate: '' },
  takesPkce: false,
  async read({ ask, urls }) {
    const url = urls.profile === '' ? urls.validate : urls.profile;
    const answer = await ask(url, { headers: { 'ocs-apirequest': 'true' } });
    const user = textOf(claimAt(answer, 'ocs.data.id'));
    if (user === null) throw new Refusal('the answer about the person has no "ocs.data.id"');
    const groups = textsOf(claimAt(answer, 'ocs.data.groups'));
    return { ...NOBODY, user, email: addressIn(answer, 'ocs.data.email'), groups };
  },
};

export const SOURCEHUT: PlainKind = {
  name: 'SourceHut',
  scope: 'meta.sr.ht/PROFILE:RO',
  urls: {
    login: 'https://meta.sr.ht/oauth2/authorize',
    redeem: 'https://meta.sr.ht/oauth2/access-token',
    profile: 'https://meta.sr.ht/query',
    validate: 'https://meta.sr.ht/profile',
  },
  takesPkce: false,
  async read({ ask, urls }) {
    const answer = await ask(urls.profile, { body: JSON.stringify({ query: '{ me { username, email } }' }) });
    const user = textOf(claimAt(answer, 'data.me.username'));
    if (user === null) throw new Refusal('the answer about the person has no "data.me.username"');
    return { ...NOBODY, user, preferredUsername: user, email: addressIn(answer, 'data.me.email') };
  },
};

/** The deprecated kind: profile and groups by userinfo, without ID tokens. */
export const KEYCLOAK_PLAIN: PlainKind = {
  name: 'Keycloak',
  scope: 'api',
  urls: { login: '', redeem: '', profile: '', validate: '' },
  takesPkce: true,
  async read({ ask, urls, settings }) {
    const answer = await ask(urls.profile === '' ? urls.validate : urls.profile);
    const verified = answer['email_verified'];
    if (verified !== undefined && !isTrue(verified) && !settings.oidc.allowUnverifiedEmail)
      throw new NotAdmitted('the address of the person is not verified');
    const preferredUsername = textOf(answer['preferred_username']) ?? '';
    return {
      ...NOBODY,
      user: textOf(answer['user']) ?? preferredUsername,
      email: addressIn(answer, 'email'),
      groups: textsOf(answer['groups']),
      preferredUsername,
    };
  },
};

export const BITBUCKET: PlainKind = {
  name: 'Bitbucket',
  scope: 'email',
  urls: {
    login: 'https://bitbucket.org/site/oauth2/authorize',
    redeem: 'https://bitbucket.org/site/oauth2/access_token',
    profile: '',
    validate: 'https://api.bitbucket.org/2.0/user/emails',
  },
  takesPkce: false,
  finalScope: ({ bitbucket }, scope) =>
    bitbucket.repository === null || scope.split(' ').includes('repository') ? scope : `${scope} repository`,
  async read(inquiry) {
    const { ask, urls, settings } = inquiry;
    const answer = await ask(urls.validate);
    const values = Array.isArray(answer['values']) ? (answer['values'] as unknown[]) : [];
    const primary = values.find((one) => claimAt(asClaims(one), 'is_primary') === true);
    if (primary !== undefined && claimAt(asClaims(primary), 'is_confirmed') === false)
      throw new NotAdmitted('the address of the person is not confirmed');
    const email = addressIn({ primary }, 'primary.email');
    const { repository } = settings.bitbucket;
    if (repository !== null && !(await mayUse(inquiry, repository)))
      throw new NotAdmitted(`the person has no access to the repository "${repository}"`);
    return { ...NOBODY, email };
  },
};

async function mayUse({ ask, urls }: Inquiry, repository: string): Promise<boolean> {
  const [workspace = ''] = repository.split('/');
  const url = new URL(`/2.0/repositories/${encodeURIComponent(workspace)}`, urls.validate);
  url.search = new URLSearchParams({ role: 'contributor', q: `full_name=${JSON.stringify(repository)}` }).toString();
  const answer = await ask(url.href);
  const values = Array.isArray(answer['values']) ? (answer['values'] as unknown[]) : [];
  return values.some((one) => claimAt(asClaims(one), 'full_name') === repository);
}

function asClaims(value: unknown): Claims {
  return { ...(value as object) };
}
