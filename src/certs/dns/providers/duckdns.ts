/**
 * DuckDNS: one GET sets the one TXT value that a domain and all names below it have, another clears it. There is
 * nothing to read, so what this process set is kept in mind: clearing must not take another order's value away.
 */
import { createApi } from '../api-client.ts';
import { dnsError } from '../dns-error.ts';
import { secret } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { missingZone } from '../zone-walk.ts';

const SUFFIX = '.duckdns.org';
const PERMISSION = 'the token is that of the account which has the domain';

/** "home" for "_acme-challenge.home.duckdns.org"; null for names elsewhere. */
function domainOf(fqdn: string): string | null {
  if (!fqdn.endsWith(SUFFIX)) return null;
  const labels = fqdn.slice(0, -SUFFIX.length).split('.');
  return labels.at(-1) ?? null;
}

export const duckdns: AnyProviderType = defineProviderType({
  type: 'duckdns',
  title: 'DuckDNS',
  documentation: 'https://www.duckdns.org/spec.jsp',
  keys: { token: secret('Token of the account.', { example: '${DUCKDNS_TOKEN}' }) },
  permission: PERMISSION,
  triedAgainst: 'twin',
  note: 'Holds one value for a domain and all names below it: orders wait for one another.',
  create: ({ token }, tools, name) => {
    const provider = 'DuckDNS';
    const base = 'https://www.duckdns.org';
    const isRefusal = ({ text }: { readonly text: string }): boolean => text.trim() === 'KO';
    const api = createApi({ provider, base, permission: PERMISSION, isRefusal, secrets: [token] }, tools);
    const held = new Map<string, string>();
    const update = async (
      step: string,
      fqdn: string,
      query: Record<string, string>,
      signal: AbortSignal,
    ): Promise<void> => {
      const domains = domainOf(fqdn);
      if (domains === null) throw missingZone(fqdn, api);
      const { text } = await api.send({ step, path: '/update', query: { domains, token, ...query }, signal });
      if (text.trim() === 'OK') return;
      throw dnsError({
        code: 'DNS_PROVIDER_UNAVAILABLE',
        step,
        provider,
        what: 'www.duckdns.org answered neither OK nor KO',
        words: text,
      });
    };
    return {
      name,
      valuesPerName: 1,
      placeOf: (fqdn) => domainOf(fqdn) ?? fqdn,
      setTxt: async (fqdn, value, signal) => {
        const domain = domainOf(fqdn) ?? fqdn;
        const other = held.get(domain);
        if (other !== undefined && other !== value) {
          const what = `"${domain}${SUFFIX}" has another value, and it holds only one`;
          throw dnsError({
            code: 'DNS_PROVIDER_REFUSED',
            step: 'set the record',
            provider,
            what,
            remedy: 'withdraw that one first',
          });
        }
        await update('set the record', fqdn, { txt: value }, signal);
        held.set(domain, value);
      },
      removeTxt: async (fqdn, value, signal) => {
        const domain = domainOf(fqdn) ?? fqdn;
        if ((held.get(domain) ?? value) !== value) return;
        // Also where clearing fails: the next value may take its place.
        held.delete(domain);
        await update('remove the record', fqdn, { txt: value, clear: 'true' }, signal);
      },
    };
  },
});
