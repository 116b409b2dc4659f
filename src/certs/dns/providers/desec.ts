/** deSEC's API v1 with a token. A record set is written whole; no TTL below the domain's minimum is taken. */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { secret } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { quoteTxt, unquoteTxt } from '../txt-text.ts';
import { providerOfRecordSets } from '../value-sets.ts';
import { wordsAt } from '../words.ts';
import { missingZone } from '../zone-walk.ts';

const TTL = 3600;
const PERMISSION = 'the token may write RRsets of the domain (without policies, or with one that has perm_write)';
const DOMAINS = z.array(z.object({ name: z.string(), minimum_ttl: z.number() }));
const SET = z.object({ records: z.array(z.string()), ttl: z.number() });

export const desec: AnyProviderType = defineProviderType({
  type: 'desec',
  title: 'deSEC',
  documentation: 'https://desec.readthedocs.io/en/latest/dns/rrsets.html',
  keys: { token: secret('API token.', { example: '${DESEC_TOKEN}' }) },
  permission: PERMISSION,
  triedAgainst: 'twin',
  note: 'A record set is read and written whole: programs beside Postern must not change the same name at the same moment.',
  create: ({ token }, tools, name) => {
    const provider = 'deSEC';
    const base = 'https://desec.io/api/v1';
    const headers = { authorization: `Token ${token}` };
    const api = createApi(
      { provider, base, headers, wordsOf: wordsAt('detail'), permission: PERMISSION, secrets: [token] },
      tools,
    );
    return providerOfRecordSets(name, {
      // It knows itself which domain is responsible for a name.
      zoneOf: async (fqdn, signal) => {
        const call = { step: 'find the zone', path: '/domains/', query: { owns_qname: fqdn }, signal };
        const [domain] = await api.read(call, DOMAINS);
        if (domain === undefined) throw missingZone(fqdn, api);
        return { name: domain.name, id: String(Math.max(TTL, domain.minimum_ttl)) };
      },
      read: async ({ zone, below, signal }) => {
        const path = `/domains/${zone.name}/rrsets/${below || '@'}/TXT/`;
        const found = await api.readIfThere({ step: 'read the record', path, signal }, SET);
        return found === null ? { values: [] } : { values: found.records.map(unquoteTxt), ttl: found.ttl };
      },
      write: async ({ zone, below, signal }, values, before) => {
        const ttl = before.ttl ?? Number(zone.id);
        const json = [{ subname: below, type: 'TXT', ttl, records: values.map(quoteTxt) }];
        await api.send({ step: 'set the record', method: 'PUT', path: `/domains/${zone.name}/rrsets/`, json, signal });
        return 'done';
      },
    });
  },
});
