/** Every configuration of the suite. */
import type { Configuration } from './configuration.ts';
import { bearerOff, bearerOnly, bearerTokens } from './configurations/bearer.ts';
import {
  cookieHostPrefix,
  cookieOptions,
  cookiePerRequest,
  cookieRefresh,
  cookieShort,
  redis,
} from './configurations/cookies.ts';
import { front, frontAnybody, frontUntrusted } from './configurations/front.ts';
import { basicHeaders, emailAsUser, headers, keptHeaders, noHeaders } from './configurations/headers.ts';
import { htpasswd, htpasswdAllowedGroups, htpasswdGroups, htpasswdNoButton } from './configurations/htpasswd.ts';
import { minimal } from './configurations/minimal.ts';
import {
  allowedGroups,
  constraints,
  emailDomains,
  emailsAndDomains,
  emailsFile,
  groupsClaim,
  groupsScope,
  quotedGroups,
  semicolons,
} from './configurations/people.ts';
import { https, noUpstream, prefix, staticOnly, toml, unixUpstream, upstreams } from './configurations/places.ts';
import { redirects, signOut } from './configurations/redirects.ts';
import { button, jsonErrors, skip, skipAllBut } from './configurations/skip.ts';

export const CONFIGURATIONS: readonly Configuration[] = [
  minimal,
  front,
  frontUntrusted,
  frontAnybody,
  headers,
  basicHeaders,
  emailAsUser,
  noHeaders,
  keptHeaders,
  skip,
  skipAllBut,
  button,
  jsonErrors,
  htpasswd,
  htpasswdGroups,
  htpasswdAllowedGroups,
  htpasswdNoButton,
  ...emailDomains,
  emailsFile,
  emailsAndDomains,
  allowedGroups,
  quotedGroups,
  groupsClaim,
  groupsScope,
  constraints,
  semicolons,
  cookieOptions,
  cookieHostPrefix,
  cookiePerRequest,
  cookieShort,
  cookieRefresh,
  redis,
  redirects,
  signOut,
  bearerTokens,
  bearerOnly,
  bearerOff,
  upstreams,
  unixUpstream,
  staticOnly,
  noUpstream,
  prefix,
  toml,
  https,
];
export { KEYCLOAK_CONFIGURATIONS } from './configurations/keycloak.ts';
