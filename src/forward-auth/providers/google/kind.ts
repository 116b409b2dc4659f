/**
 * Google: ID tokens checked by its keys, verified addresses only, and groups of the directory, asked for in the
 * name of an administrator at sign-in and at every refresh.
 */
import { readTextAtMost } from '../../../core/read-at-most.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import { isTrue } from '../claims.ts';
import type { Claims } from '../../../sign-in/oauth/json.ts';
import { explainFailure } from '../failures.ts';
import { NotAdmitted, Refusal } from '../../../sign-in/oauth/failures.ts';
import type { Metadata } from '../oidc/metadata.ts';
import type { Enrichment, OidcKind, OidcParts } from '../oidc/parts.ts';
import {
  actAsAdministrator,
  GOOGLE_ADDRESSES,
  type GoogleAccount,
  type GoogleAddresses,
} from '../../../sign-in/google/credentials.ts';
import { createDirectory, type Directory } from '../../../sign-in/google/directory.ts';

/** Google writes either. */
const ISSUERS: ReadonlySet<unknown> = new Set(['https://accounts.google.com', 'accounts.google.com']);

/** `addresses` are others for tests. */
export function googleKind(addresses: GoogleAddresses = GOOGLE_ADDRESSES): OidcKind {
  let directory: Directory | null = null;
  return {
    name: 'Google',
    scope: 'profile email',
    asksForGroups: false,
    needsEmail: true,
    hasProfile: false,
    takesBearers: false,
    switchPrompt: 'select_account',
    finalScope: (_, scope) => withOpenid(scope),
    endpoints: () => ({
      issuer: 'https://accounts.google.com',
      loginUrl: 'https://accounts.google.com/o/oauth2/auth?access_type=offline',
      tokenUrl: 'https://www.googleapis.com/oauth2/v3/token',
      jwksUrl: 'https://www.googleapis.com/oauth2/v3/certs',
      authMethods: ['client_secret_post'],
      challengeMethods: ['S256'],
    }),
    issuerRule: checkIssuer,
    allowedGroups: ({ google }) => google.groups,
    enrich: (enrichment) => {
      directory ??= openDirectory(enrichment.parts, addresses);
      return enrich(directory, enrichment);
    },
  };
}

/** Without it there is no ID token with a nonce to be sure of. */
function withOpenid(scope: string): string {
  return scope.split(' ').includes('openid') ? scope : `openid ${scope}`;
}

function checkIssuer({ oidc }: ProviderSettings, metadata: Metadata, claims: Claims): void {
  const isGoogle = ISSUERS.has(claims['iss']) || (oidc.issuer !== null && claims['iss'] === metadata.issuer);
  if (!isGoogle) throw new Refusal('a token is not of Google');
}

function openDirectory({ http, deps, settings }: OidcParts, addresses: GoogleAddresses): Directory {
  const environment = deps.environment ?? process.env;
  return createDirectory({
    http,
    clock: deps.clock,
    base: addresses.directory,
    actAs: actAsAdministrator(accountOf(settings), { http, clock: deps.clock, addresses, environment }),
    userScope: settings.google.useOrganizationId ? (settings.google.adminApiUserScope ?? 'readonly') : null,
  });
}

function accountOf({ google }: ProviderSettings): GoogleAccount {
  const { serviceAccountFile: file, useDefaultCredentials, adminEmail, targetPrincipal } = google;
  const readKey = file === null || useDefaultCredentials ? null : (): Promise<string> => readTextAtMost(file);
  return { readKey, adminEmail, targetPrincipal };
}

async function enrich(directory: Directory, { parts, session, claims }: Enrichment): Promise<AuthSession> {
  const { google } = parts.settings;
  if (!isTrue(claims['email_verified'])) throw new NotAdmitted('the address of the person is not verified');
  const { email } = session;
  const hasDirectory = google.serviceAccountFile !== null || google.useDefaultCredentials;
  const groups = hasDirectory ? await groupsFor(directory, parts, email) : [];
  // Google has no such claim: the directory's word is the only one.
  const preferredUsername = google.useOrganizationId ? await directory.organizationId(email) : '';
  return { ...session, groups, preferredUsername };
}

async function groupsFor(directory: Directory, parts: OidcParts, email: string): Promise<readonly string[]> {
  const { groups } = parts.settings.google;
  if (groups.length === 0) return allGroups(directory, parts, email);
  const found: string[] = [];
  for (const group of groups) if (await directory.isMember(group, email)) found.push(group);
  return found;
}

/** Where no group is restricted they are only for headers, and nobody stays outside for want of them. */
async function allGroups(
  directory: Directory,
  { deps, name, settings, allowedGroups }: OidcParts,
  email: string,
): Promise<readonly string[]> {
  try {
    return (await directory.groupsOf(email)).names;
  } catch (error) {
    if (allowedGroups.size > 0) throw error;
    deps.log.warn(
      { provider: settings.kind },
      `Groups of a person are missing: ${explainFailure(name, error).message}`,
    );
    return [];
  }
}
