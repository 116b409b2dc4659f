/**
 * acme-dns: a small name server that keeps the last two values of one name, which `_acme-challenge` names point
 * to by CNAME. Nothing can be removed there; old values are pushed out by new ones.
 */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { dnsError } from '../dns-error.ts';
import { secret, text, url } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { wordsAt } from '../words.ts';

const PERMISSION =
  'username, password and fulldomain are those that its /register gave, and "allowfrom" holds this address';
const DONE = z.object({ txt: z.string() });

export const acmeDns: AnyProviderType = defineProviderType({
  type: 'acme-dns',
  title: 'acme-dns',
  documentation: 'https://github.com/joohoi/acme-dns',
  keys: {
    url: url('Address of its API.', { example: 'https://auth.acme-dns.io' }),
    username: secret('`username` of the registration.', { example: '${ACME_DNS_USERNAME}' }),
    password: secret('`password` of the registration.', { example: '${ACME_DNS_PASSWORD}' }),
    fulldomain: text('`fulldomain` of the registration: where `_acme-challenge.NAME` points by CNAME.', {
      example: 'd420c923-bbd7-4056-ab64-c3ca54c9b3cf.auth.acme-dns.io',
    }),
  },
  permission: PERMISSION,
  triedAgainst: 'twin',
  note: 'Keeps the last two values and removes none: they are pushed out by later ones.',
  create: ({ url: address, username, password, fulldomain }, tools, name) => {
    const provider = 'acme-dns';
    const base = address.replace(/\/+$/, '');
    const headers = { 'x-api-user': username, 'x-api-key': password };
    const api = createApi(
      { provider, base, headers, wordsOf: wordsAt('error'), permission: PERMISSION, secrets: [username, password] },
      tools,
    );
    const target = fulldomain.toLowerCase().replace(/\.$/, '');
    /** Setting a value again would push the other one out. */
    let recent: readonly string[] = [];
    return {
      name,
      valuesPerName: 2,
      setTxt: async (fqdn, value, signal) => {
        const step = 'set the record';
        if (fqdn !== target) {
          const what = `"${fqdn}" is not the name of this registration`;
          throw dnsError({
            code: 'DNS_ZONE_MISSING',
            step,
            provider,
            what,
            remedy: `add "${fqdn}. CNAME ${target}." to its zone`,
          });
        }
        if (recent.includes(value)) return;
        const json = { subdomain: target.slice(0, target.indexOf('.')), txt: value };
        await api.read({ step, method: 'POST', path: '/update', json, signal }, DONE);
        recent = [value, ...recent].slice(0, 2);
      },
      removeTxt: async () => {},
    };
  },
});
