/** The HTTP API of PowerDNS 4.7: zones and PATCH of record sets. */
import * as z from 'zod';
import { bodyOf, Refusal, type Twin, unquoted, violate, ZoneStore } from './twin.ts';

const KEY = 'pdns-key-Gg9';
const RECORD = z.strictObject({ content: z.string(), disabled: z.literal(false) });
const BODY = z.strictObject({
  rrsets: z
    .array(
      z.strictObject({
        name: z.string().endsWith('.'),
        type: z.literal('TXT'),
        ttl: z.number().int().min(1),
        changetype: z.enum(['REPLACE', 'DELETE']),
        records: z.array(RECORD),
      }),
    )
    .length(1),
});

export function powerdnsTwin(origin: string): Twin {
  const store = new ZoneStore();
  return {
    type: 'powerdns',
    host: 'own',
    settings: { url: `${origin}/`, api_key: KEY, server: 'localhost' },
    wrongSettings: { url: origin, api_key: 'pdns-wrong-Ll4', server: 'localhost' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => store.add(fqdn, value),
    handle: (request) => {
      if (request.headers['x-api-key'] !== KEY) throw new Refusal({ status: 401, text: 'Unauthorized' });
      const [, id] =
        /^\/api\/v1\/servers\/localhost\/zones(?:\/([^/]+))?$/.exec(request.path) ?? violate('no such path');
      if (id === undefined) {
        const name = request.query.get('zone') ?? violate('lists all zones');
        const zone = name.endsWith('.') ? name.slice(0, -1) : violate('the zone has no trailing dot');
        return { status: 200, json: store.zones.has(zone) ? [{ id: name, name, kind: 'Native' }] : [] };
      }
      const zone = id.slice(0, -1);
      if (!store.zones.has(zone)) throw new Refusal({ status: 404, json: { error: 'Not Found' } });
      if (request.method === 'GET') {
        const name = request.query.get('rrset_name') ?? violate('reads the whole zone');
        const records = store.get(zone, name.slice(0, -1)).map((one) => ({ content: `"${one}"`, disabled: false }));
        return {
          status: 200,
          json: {
            id,
            name: id,
            rrsets: records.length === 0 ? [] : [{ name, type: 'TXT', ttl: 60, records, comments: [] }],
          },
        };
      }
      if (request.method !== 'PATCH') violate('method');
      for (const set of bodyOf(request, BODY).rrsets)
        store.put(
          zone,
          set.name.slice(0, -1),
          set.records.map(({ content }) => unquoted(content)),
        );
      return { status: 204 };
    },
  };
}
