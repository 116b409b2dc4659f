/** Porkbun API v3. */
import * as z from 'zod';
import { absolute, bodyOf, Refusal, type Twin, violate, ZoneStore } from './twin.ts';

const KEY = 'pk1_right_Nn7';
const SECRET = 'sk1_right_Vv3';
const CREATE = z.strictObject({
  name: z.string(),
  type: z.literal('TXT'),
  content: z.string(),
  ttl: z.string().regex(/^\d+$/),
});
const LIST = z.strictObject({ start: z.string() });

function refuse(message: string): never {
  throw new Refusal({ status: 400, json: { status: 'ERROR', message } });
}

export function porkbunTwin(): Twin {
  // So many domains that the account's list has two pages.
  const others = Array.from({ length: 1000 }, (_, index) => `other-${index}.test`);
  const store = new ZoneStore([...others, 'example.com', 'dev.example.com', 'own.other.example']);
  const ids: { readonly zone: string; readonly fqdn: string; readonly value: string }[] = [];
  const idOf = (zone: string, fqdn: string, value: string): number => {
    const index = ids.findIndex((one) => one.zone === zone && one.fqdn === fqdn && one.value === value);
    return index === -1 ? ids.push({ zone, fqdn, value }) : index + 1;
  };
  return {
    type: 'porkbun',
    host: 'api.porkbun.com',
    settings: { api_key: KEY, secret_api_key: SECRET },
    wrongSettings: { api_key: KEY, secret_api_key: 'sk1_wrong_Cc1' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => store.add(fqdn, value),
    handle: (request) => {
      if (request.host !== 'api.porkbun.com' || request.method !== 'POST') violate('host or method');
      if (request.headers['x-api-key'] !== KEY || request.headers['x-secret-api-key'] !== SECRET)
        refuse('Invalid API key. (002)');
      const path = request.path.replace('/api/json/v3/', '');
      if (path === 'domain/listAll') {
        const start = Number(bodyOf(request, LIST).start);
        const domains = [...store.zones.keys()]
          .slice(start, start + 1000)
          .map((domain) => ({ domain, status: 'ACTIVE', tld: 'x' }));
        return { status: 200, json: { status: 'SUCCESS', domains } };
      }
      const [, action = '', zone = '', rest = ''] =
        /^dns\/(create|delete|retrieveByNameType)\/([^/]+)(?:\/(.+))?$/.exec(path) ?? violate('no such path');
      if (!store.zones.has(zone)) refuse('Invalid domain.');
      if (action === 'create') {
        const { name, content, ttl } = bodyOf(request, CREATE);
        if (Number(ttl) < 600) refuse('TTL is too low.');
        const fqdn = absolute(name, zone);
        store.put(zone, fqdn, [...store.get(zone, fqdn), content]);
        return { status: 200, json: { status: 'SUCCESS', id: idOf(zone, fqdn, content) } };
      }
      if (action === 'delete') {
        const { fqdn = '', value = '' } = ids[Number(rest) - 1] ?? {};
        if (!store.get(zone, fqdn).includes(value)) refuse('Invalid record ID.');
        store.removeOne(zone, fqdn, value);
        return { status: 200, json: { status: 'SUCCESS' } };
      }
      const [, sub = ''] = /^TXT(?:\/([^/]+))?$/.exec(rest) ?? violate('type');
      const fqdn = absolute(sub, zone);
      const records = store.get(zone, fqdn).map((content) => ({
        id: String(idOf(zone, fqdn, content)),
        name: fqdn,
        type: 'TXT',
        content,
        ttl: '600',
        prio: '0',
        notes: '',
      }));
      return { status: 200, json: { status: 'SUCCESS', records } };
    },
  };
}
