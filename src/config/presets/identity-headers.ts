/**
 * Names under which apps expect to learn who comes, as data. Every name of every preset is removed from
 * what clients send, whether a route uses it or not.
 */
import type { IdentityField } from '../document/identity-headers.ts';

export interface IdentityPreset {
  readonly fields: readonly IdentityField[];
  /** For the reference. */
  readonly about: string;
}

export const IDENTITY_PRESETS: Readonly<Record<string, IdentityPreset>> = {
  forwarded: {
    about: 'oauth2-proxy as a proxy: `X-Forwarded-User`, `-Preferred-Username`, `-Email`, `-Groups`, `-Name`',
    fields: [
      { name: 'X-Forwarded-User', value: 'user' },
      { name: 'X-Forwarded-Preferred-Username', value: 'preferred_username' },
      { name: 'X-Forwarded-Name', value: 'name' },
      { name: 'X-Forwarded-Email', value: 'email' },
      { name: 'X-Forwarded-Groups', value: 'groups' },
    ],
  },
  'auth-request': {
    about: 'oauth2-proxy behind nginx: `X-Auth-Request-User`, `-Preferred-Username`, `-Email`, `-Groups`',
    fields: [
      { name: 'X-Auth-Request-User', value: 'user' },
      { name: 'X-Auth-Request-Preferred-Username', value: 'preferred_username' },
      { name: 'X-Auth-Request-Email', value: 'email' },
      { name: 'X-Auth-Request-Groups', value: 'groups' },
    ],
  },
  remote: {
    about: 'Authelia: `Remote-User`, `-Name`, `-Email`, `-Groups`',
    fields: [
      { name: 'Remote-User', value: 'user' },
      { name: 'Remote-Name', value: 'name' },
      { name: 'Remote-Email', value: 'email' },
      { name: 'Remote-Groups', value: 'groups' },
    ],
  },
  'cloudflare-access': {
    about: 'Cloudflare Access: `Cf-Access-Authenticated-User-Email` and `Cf-Access-Jwt-Assertion`',
    fields: [
      { name: 'Cf-Access-Authenticated-User-Email', value: 'email' },
      { name: 'Cf-Access-Jwt-Assertion', value: 'assertion' },
    ],
  },
  iap: {
    about: 'Google IAP: `X-Goog-IAP-JWT-Assertion`',
    fields: [{ name: 'X-Goog-IAP-JWT-Assertion', value: 'assertion' }],
  },
  assertion: {
    about: 'the signed assertion alone: `Postern-Assertion`',
    fields: [{ name: 'Postern-Assertion', value: 'assertion' }],
  },
};

export const DEFAULT_IDENTITY_PRESET = 'forwarded';
