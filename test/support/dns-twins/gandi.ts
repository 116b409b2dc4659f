/** Gandi LiveDNS v5. */
import * as z from 'zod';
import { absolute, bodyOf, Refusal, type Twin, unquoted, violate, ZoneStore } from './twin.ts';

const TOKEN = 'gandi-pat-Ww3';
const BODY = z.strictObject({
  rrset_values: z.array(z.string()).min(1),
  rrset_ttl: z.number().int().min(300).max(2_592_000),
});

function refuse(code: number, cause: string, message: string): never {
  throw new Refusal({ status: code, json: { code, cause, message, object: `HTTP${cause}` } });
}

export function gandiTwin(): Twin {
  const store = new ZoneStore();
  return {
    type: 'gandi',
    host: 'api.gandi.net',
    settings: { token: TOKEN },
    wrongSettings: { token: 'gandi-wrong-Ee5' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => store.add(fqdn, value),
    handle: (request) => {
      if (request.host !== 'api.gandi.net') violate(`host ${request.host}`);
      if (request.headers['authorization'] !== `Bearer ${TOKEN}`)
        refuse(
          401,
          'Unauthorized',
          'The server could not verify that you authorized to access the document you requested.',
        );
      const [, zone = '', name] =
        /^\/v5\/livedns\/domains\/([^/]+)(?:\/records\/([^/]+)\/TXT)?$/.exec(request.path) ?? violate('no such path');
      // As for a token of single domains.
      if (!store.zones.has(zone))
        refuse(zone.length % 2 === 0 ? 403 : 404, 'NotFound', `The resource could not be found: domain ${zone}`);
      if (name === undefined) return { status: 200, json: { fqdn: zone, automatic_snapshots: true } };
      const fqdn = absolute(name, zone);
      const values = store.get(zone, fqdn);
      if (request.method === 'PUT') {
        store.put(zone, fqdn, bodyOf(request, BODY).rrset_values.map(unquoted));
        return { status: 201, json: { message: 'DNS Record Created' } };
      }
      if (values.length === 0) refuse(404, 'NotFound', "Can't find the DNS record");
      if (request.method === 'GET')
        return {
          status: 200,
          json: { rrset_name: name, rrset_type: 'TXT', rrset_ttl: 300, rrset_values: values.map((one) => `"${one}"`) },
        };
      if (request.method !== 'DELETE') violate('method');
      store.put(zone, fqdn, []);
      return { status: 204 };
    },
  };
}
