/** The HTTP API of an authoritative PowerDNS server. A record set is replaced whole. */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { secret, text, url } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { quoteTxt, unquoteTxt } from '../txt-text.ts';
import { providerOfRecordSets } from '../value-sets.ts';
import { wordsAt } from '../words.ts';
import { createZoneOf } from '../zone-walk.ts';

const TTL = 60;
const PERMISSION = 'the key is the "api-key" of the server, and "webserver-allow-from" lets this machine in';
const ZONES = z.array(z.object({ id: z.string(), name: z.string() }));
const ZONE = z.object({
  rrsets: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      ttl: z.number(),
      records: z.array(z.object({ content: z.string() })),
    }),
  ),
});

export const powerdns: AnyProviderType = defineProviderType({
  type: 'powerdns',
  title: 'PowerDNS',
  documentation: 'https://doc.powerdns.com/authoritative/http-api/zone.html',
  keys: {
    url: url('Address of its web server.', { example: 'http://127.0.0.1:8081' }),
    api_key: secret('The `api-key` of its configuration.', { example: '${PDNS_API_KEY}' }),
    server: { ...text('Name of the server in its API.'), isRequired: false, default: 'localhost' },
  },
  permission: PERMISSION,
  triedAgainst: 'PowerDNS 4.7',
  create: ({ url: address, api_key: key, server }, tools, name) => {
    const provider = 'PowerDNS';
    const base = `${address.replace(/\/+$/, '')}/api/v1/servers/${encodeURIComponent(server)}`;
    const headers = { 'x-api-key': key };
    const api = createApi(
      { provider, base, headers, wordsOf: wordsAt('error'), permission: PERMISSION, secrets: [key] },
      tools,
    );
    return providerOfRecordSets(name, {
      zoneOf: createZoneOf(
        api,
        async (zone, signal) => {
          const zones = await api.read(
            { step: 'find the zone', path: '/zones', query: { zone: `${zone}.` }, signal },
            ZONES,
          );
          const found = zones.find((one) => one.name === `${zone}.`);
          return found === undefined ? null : { name: zone, id: found.id };
        },
        { fewestLabels: 1 },
      ),
      read: async ({ zone, fqdn, signal }) => {
        const query = { rrset_name: `${fqdn}.`, rrset_type: 'TXT' };
        const { rrsets } = await api.read({ step: 'read the record', path: `/zones/${zone.id}`, query, signal }, ZONE);
        const set = rrsets.find((one) => one.name === `${fqdn}.` && one.type === 'TXT');
        return set === undefined
          ? { values: [] }
          : { values: set.records.map(({ content }) => unquoteTxt(content)), ttl: set.ttl };
      },
      write: async ({ zone, fqdn, signal }, values, before) => {
        const records = values.map((value) => ({ content: quoteTxt(value), disabled: false }));
        const changetype = values.length === 0 ? 'DELETE' : 'REPLACE';
        const json = { rrsets: [{ name: `${fqdn}.`, type: 'TXT', ttl: before.ttl ?? TTL, changetype, records }] };
        await api.send({ step: 'set the record', method: 'PATCH', path: `/zones/${zone.id}`, json, signal });
        return 'done';
      },
    });
  },
});
