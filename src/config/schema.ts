/**
 * The schema of the configuration document: every key there is, with its description. The loader
 * checks documents with it; the reference and the editors' JSON Schema are printed from it.
 */
import type * as z from 'zod';
import { type AcmeInput, acmeShape } from './schema/acme.ts';
import { dnsShape, type DnsProviderInput } from './schema/dns.ts';
import { type HostInput, hostShape } from './schema/hosts.ts';
import { type GlobalLimitsInput, globalLimitsShape } from './schema/limits.ts';
import { type ListenInput, listenShape, type LogInput, logShape, trustedProxiesShape } from './schema/listen.ts';
import {
  type DefaultsInput,
  defaultsShape,
  mapShape,
  type ServiceInput,
  serviceShape,
  type SessionInput,
  sessionShape,
  type SignInInput,
  signInShape,
  type TestInput,
  testShape,
} from './schema/people.ts';
import { type ProviderInput, providerShape } from './schema/providers.ts';
import type { Scalar } from './schema/routes.ts';
import { either, flag, key, list, map, numberOf, section, whole, word } from './schema/shapes.ts';
import { type GlobalTlsInput, globalTlsShape } from './schema/tls.ts';

/** The document as it is written, after substitution. */
export interface DocumentInput {
  readonly version?: number | undefined;
  readonly listen?: ListenInput | undefined;
  readonly workers?: number | 'auto' | undefined;
  readonly watch?: boolean | undefined;
  readonly log?: LogInput | undefined;
  readonly providers?: Readonly<Record<string, ProviderInput>> | undefined;
  readonly sign_in?: SignInInput | undefined;
  readonly session?: SessionInput | undefined;
  readonly services?: Readonly<Record<string, ServiceInput>> | undefined;
  readonly maps?: Readonly<Record<string, Readonly<Record<string, Scalar>>>> | undefined;
  readonly trusted_proxies?: string | readonly string[] | undefined;
  readonly limits?: GlobalLimitsInput | undefined;
  readonly tls?: GlobalTlsInput | undefined;
  readonly dns?: Readonly<Record<string, DnsProviderInput>> | undefined;
  readonly acme?: AcmeInput | undefined;
  readonly defaults?: DefaultsInput | undefined;
  readonly hosts?: Readonly<Record<string, HostInput>> | undefined;
  readonly default?: HostInput | undefined;
  readonly tests?: readonly TestInput[] | undefined;
}

export const documentShape: z.ZodType<DocumentInput> = section(
  {
    version: key(numberOf('1'), "Version of the document's language: 1.", { default: 1 }),
    listen: key(
      listenShape,
      'Where Postern listens. Written, it lists all listeners; without it: `:80`, `:443` and `127.0.0.1:7070`. A reload opens what is new and lets go what is gone; an address that cannot be had refuses it.',
    ),
    workers: key(
      either(whole(1, 256), word('auto'), 'a whole number from 1 to 256, or "auto"'),
      'Threads that serve requests. `auto`: by cores. A reload adds workers; fewer take a restart.',
      {
        default: 'auto',
      },
    ),
    watch: key(flag(), 'Load the document again when its file changes.', { default: false }),
    log: key(logShape, 'The log.'),
    providers: key(map(providerShape, 'a map of providers'), 'Who knows the people. Without it: `local`.', {
      examples: [{ local: { type: 'local' } }],
    }),
    sign_in: key(signInShape, 'Where people sign in.'),
    session: key(sessionShape, 'How long a sign-in lasts.'),
    services: key(
      map(serviceShape, 'a map of services'),
      'Machines that come with a name and a password (HTTP basic).',
    ),
    maps: key(
      map(mapShape, 'a map of maps'),
      'Values for `{map.NAME}` by principal, such as a port or a role for each user. Values match `[A-Za-z0-9_-]{1,64}`, those for an address `[a-z0-9_-]{1,64}`.',
      { examples: [{ port: { 'local:user:alice': 9001 }, role: { 'group:ops': 'Admin' } }] },
    ),
    trusted_proxies: key(
      trustedProxiesShape,
      'Whose `X-Forwarded-*` is believed: address ranges, `cloudflare` or `private`.',
      { examples: [['cloudflare', '10.0.0.5']] },
    ),
    limits: key(globalLimitsShape, 'Limits of the process, and those of all routes that set none of their own.'),
    tls: key(globalTlsShape, 'Certificates and versions for all hosts.'),
    dns: key(
      dnsShape,
      'Accounts at DNS providers, for certificates by DNS-01. Each type has its own keys: [dns-providers.md](dns-providers.md).',
      { examples: [{ cloudflare: { type: 'cloudflare', token: '${CLOUDFLARE_TOKEN}' } }] },
    ),
    acme: key(
      acmeShape,
      'Certificates by themselves: with this section, every host with a public name and no certificate of its own gets one from a CA (RFC 8555), and it is renewed in time. Writing it is your agreement to the terms of service of that CA.',
      { examples: [{ email: 'ops@example.com' }] },
    ),
    defaults: key(defaultsShape, 'Rules for routes that have none.'),
    hosts: key(
      map(hostShape, 'a map of host names'),
      'Host names: exact, or `"*.example.com"` for one label below. Quote those with a star.',
    ),
    default: key(hostShape, 'Every other host, written like one of `hosts`. Without it they get 421 or 404.'),
    tests: key(
      list(testShape, 'a list of tests'),
      'Checks of the rules. `postern check` runs them, and a reload is refused while one fails.',
      { examples: [[{ as: 'bob', get: 'https://app.example.com/', expect: 'deny' }]] },
    ),
  },
  'a map with "version", "listen" and "hosts"',
);
