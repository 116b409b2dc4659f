/** DigitalOcean API v2: domain records, as its OpenAPI description has them. */
import * as z from 'zod';
import { absolute, bodyOf, Refusal, type Twin, type TwinAnswer, type TwinRequest, violate, ZoneStore } from './twin.ts';

const TOKEN = 'do-token-Pp4';
const BODY = z.strictObject({
  type: z.literal('TXT'),
  name: z.string().min(1),
  data: z.string(),
  ttl: z.number().int().min(30),
});
const PAGE = 5;

function refuse(status: number, id: string, message: string): never {
  throw new Refusal({ status, json: { id, message } });
}

export function digitaloceanTwin(): Twin {
  const store = new ZoneStore();
  const ids: { readonly zone: string; readonly fqdn: string; readonly value: string }[] = [];
  const idOf = (zone: string, fqdn: string, value: string): number => {
    const index = ids.findIndex((one) => one.zone === zone && one.fqdn === fqdn && one.value === value);
    return index === -1 ? ids.push({ zone, fqdn, value }) : index + 1;
  };
  const list = (zone: string, { query }: TwinRequest): TwinAnswer => {
    if (query.get('type') !== 'TXT') violate('lists more than TXT');
    const name = query.get('name') ?? violate('lists the whole zone');
    if (name !== zone && !name.endsWith(`.${zone}`)) violate('the name filter wants the whole name');
    const page = Number(query.get('page') ?? 1);
    const values = store.get(zone, name);
    const below = name === zone ? '@' : name.slice(0, -zone.length - 1);
    const records = values
      .slice((page - 1) * PAGE, page * PAGE)
      .map((data) => ({ id: idOf(zone, name, data), type: 'TXT', name: below, data, ttl: 30 }));
    const next =
      page * PAGE < values.length
        ? `https://api.digitalocean.com/v2/domains/${zone}/records?type=TXT&name=${name}&per_page=${PAGE}&page=${page + 1}`
        : undefined;
    return {
      status: 200,
      json: {
        domain_records: records,
        links: next === undefined ? {} : { pages: { next } },
        meta: { total: values.length },
      },
    };
  };
  const create = (zone: string, request: TwinRequest): TwinAnswer => {
    const { name, data } = bodyOf(request, BODY);
    if (data.startsWith('"')) violate('data is quoted');
    const fqdn = absolute(name, zone);
    store.put(zone, fqdn, [...store.get(zone, fqdn), data]);
    return { status: 201, json: { domain_record: { id: idOf(zone, fqdn, data), type: 'TXT', name, data, ttl: 30 } } };
  };
  const remove = (zone: string, id: number): TwinAnswer => {
    const { fqdn = '', value = '' } = ids[id - 1] ?? {};
    if (!store.get(zone, fqdn).includes(value))
      refuse(404, 'not_found', 'The resource you were accessing could not be found.');
    store.removeOne(zone, fqdn, value);
    return { status: 204 };
  };
  return {
    type: 'digitalocean',
    host: 'api.digitalocean.com',
    settings: { token: TOKEN },
    wrongSettings: { token: 'do-wrong-Zz1' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => store.add(fqdn, value),
    handle: (request) => {
      if (request.host !== 'api.digitalocean.com') violate(`host ${request.host}`);
      if (request.headers['authorization'] !== `Bearer ${TOKEN}`)
        refuse(401, 'Unauthorized', 'Unable to authenticate you');
      const [, zone = '', records, id] =
        /^\/v2\/domains\/([^/]+)(\/records)?(?:\/(\d+))?$/.exec(request.path) ?? violate('no such path');
      if (!store.zones.has(zone)) refuse(404, 'not_found', 'The resource you were accessing could not be found.');
      if (records === undefined) return { status: 200, json: { domain: { name: zone, ttl: 1800, zone_file: '' } } };
      if (id !== undefined) return request.method === 'DELETE' ? remove(zone, Number(id)) : violate('record method');
      if (request.method === 'GET') return list(zone, request);
      return request.method === 'POST' ? create(zone, request) : violate('records method');
    },
  };
}
