/** deSEC API v1, as https://desec.readthedocs.io/ documents it. */
import * as z from 'zod';
import { absolute, bodyOf, Refusal, type Twin, unquoted, violate, ZoneStore } from './twin.ts';

const TOKEN = 'desec-token-Bb6';
const BODY = z
  .array(
    z.strictObject({
      subname: z.string(),
      type: z.literal('TXT'),
      ttl: z.number().int(),
      records: z.array(z.string()),
    }),
  )
  .length(1);

function refuse(status: number, detail: string): never {
  throw new Refusal({ status, json: { detail } });
}

export function desecTwin(): Twin {
  const store = new ZoneStore();
  return {
    type: 'desec',
    host: 'desec.io',
    settings: { token: TOKEN },
    wrongSettings: { token: 'desec-wrong-Tt2' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => store.add(fqdn, value),
    handle: (request) => {
      if (request.host !== 'desec.io') violate(`host ${request.host}`);
      if (request.headers['authorization'] !== `Token ${TOKEN}`) refuse(401, 'Invalid token.');
      if (request.path === '/api/v1/domains/') {
        const name = request.query.get('owns_qname') ?? violate('lists all domains');
        const owning = [...store.zones.keys()]
          .filter((zone) => name === zone || name.endsWith(`.${zone}`))
          .sort((a, b) => b.length - a.length);
        return { status: 200, json: owning.slice(0, 1).map((zone) => ({ name: zone, minimum_ttl: 3600 })) };
      }
      const [, zone = '', sub] =
        /^\/api\/v1\/domains\/([^/]+)\/rrsets\/(?:([^/]+)\/TXT\/)?$/.exec(request.path) ?? violate('no such path');
      if (!store.zones.has(zone)) refuse(404, 'Not found.');
      if (sub === undefined) {
        if (request.method !== 'PUT') violate('method');
        const [set] = bodyOf(request, BODY);
        if (set === undefined || set.subname === '@') return violate('"@" is not taken in bulk');
        if (set.ttl < 3600)
          throw new Refusal({ status: 400, json: [{ ttl: ['Ensure this value is greater than or equal to 3600.'] }] });
        store.put(zone, absolute(set.subname, zone), set.records.map(unquoted));
        return { status: 200, json: [set] };
      }
      if (request.method !== 'GET') violate('method');
      const values = store.get(zone, absolute(sub, zone));
      if (values.length === 0) refuse(404, 'Not found.');
      return {
        status: 200,
        json: { domain: zone, subname: sub, type: 'TXT', ttl: 3600, records: values.map((one) => `"${one}"`) },
      };
    },
  };
}
