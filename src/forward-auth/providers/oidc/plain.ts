/** A provider that is nothing but OpenID Connect. */
import type { OidcKind } from './parts.ts';

export const PLAIN: OidcKind = {
  name: 'OpenID Connect',
  scope: 'openid email profile',
  asksForGroups: true,
  needsEmail: true,
};
