/** Every type of DNS provider there is, and how a provider is made of an entry of the document. */
import type { DnsProvider } from './dns-provider.ts';
import { createNameLock } from './name-lock.ts';
import type { AnyProviderType, DnsProviderSettings } from './provider-type.ts';
import { acmeDns } from './providers/acme-dns.ts';
import { azure } from './providers/azure.ts';
import { cloudflare } from './providers/cloudflare.ts';
import { desec } from './providers/desec.ts';
import { digitalocean } from './providers/digitalocean.ts';
import { duckdns } from './providers/duckdns.ts';
import { exec } from './providers/exec.ts';
import { gandi } from './providers/gandi.ts';
import { google } from './providers/google.ts';
import { hetzner } from './providers/hetzner.ts';
import { ovh } from './providers/ovh.ts';
import { porkbun } from './providers/porkbun.ts';
import { powerdns } from './providers/powerdns.ts';
import { rfc2136 } from './providers/rfc2136.ts';
import { route53 } from './providers/route53.ts';
import { webhook } from './providers/webhook.ts';
import { type ProviderTools, systemTools } from './tools.ts';

export const PROVIDER_TYPES: readonly AnyProviderType[] = [
  cloudflare,
  route53,
  google,
  azure,
  digitalocean,
  hetzner,
  ovh,
  gandi,
  porkbun,
  duckdns,
  desec,
  powerdns,
  acmeDns,
  rfc2136,
  webhook,
  exec,
];

export function createDnsProvider(settings: DnsProviderSettings, tools: ProviderTools = systemTools): DnsProvider {
  const type = PROVIDER_TYPES.find((one) => one.type === settings.type);
  if (type === undefined) throw new TypeError(`Cannot make a DNS provider: "${settings.type}" is no type of one`);
  // The document's check has read the values by the keys of this very type.
  return guarded(type.create(settings.values as never, tools, settings.name));
}

/** A label as hosts and ACME have them; what comes of a CNAME must not become a part of a path or a command. */
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*$/;
const VALUE = /^[\u0020-\u007E]{1,1024}$/;

/** Checks what is handed in, and makes one change of a name at a time: most APIs, and hooks, read before they write. */
function guarded(provider: DnsProvider): DnsProvider {
  const check = (fqdn: string, value: string): void => {
    if (!NAME.test(fqdn)) throw new TypeError(`Cannot use name: ${JSON.stringify(fqdn)} is no name of a TXT record`);
    if (!VALUE.test(value)) throw new TypeError('Cannot use value: it is not 1 to 1024 printable ASCII characters');
  };
  const lock = createNameLock();
  const placeOf = provider.placeOf ?? ((fqdn) => fqdn);
  return {
    ...provider,
    setTxt: async (fqdn, value, signal) => {
      check(fqdn, value);
      await lock(placeOf(fqdn), () => provider.setTxt(fqdn, value, signal), signal);
    },
    removeTxt: async (fqdn, value, signal) => {
      check(fqdn, value);
      await lock(placeOf(fqdn), () => provider.removeTxt(fqdn, value, signal), signal);
    },
  };
}
