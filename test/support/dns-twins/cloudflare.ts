/** Cloudflare API v4, as https://developers.cloudflare.com/api/resources/dns/ documents it. */
import * as z from 'zod';
import { bodyOf, Refusal, type Twin, type TwinAnswer, type TwinRequest, unquoted, violate, ZoneStore } from './twin.ts';

const TOKEN = 'cf-token-Xx9';
const BODY = z.strictObject({
  type: z.literal('TXT'),
  name: z.string(),
  content: z.string(),
  ttl: z.number().int().min(60).max(86_400),
});
const PAGE = 5;

function fine(result: unknown, info: object = {}): TwinAnswer {
  return { status: 200, json: { success: true, errors: [], messages: [], result, ...info } };
}

function refuse(status: number, code: number, message: string): never {
  throw new Refusal({ status, json: { success: false, errors: [{ code, message }], messages: [], result: null } });
}

export function cloudflareTwin(): Twin {
  const store = new ZoneStore();
  const ids = new Map<string, string>();
  const idOf = (zone: string, fqdn: string, value: string): string => {
    const key = `${zone} ${fqdn} ${value}`;
    const id = ids.get(key) ?? `r${ids.size + 1}`;
    ids.set(key, id);
    return id;
  };
  const zones = (): readonly (readonly [string, string])[] =>
    [...store.zones.keys()].map((name, index) => [name, `z${index}`]);
  const list = (zone: string, { query }: TwinRequest): TwinAnswer => {
    if (query.get('type') !== 'TXT') violate('lists more than TXT');
    const name = query.get('name') ?? violate('lists the whole zone');
    const page = Number(query.get('page') ?? 1);
    const values = store.get(zone, name);
    // Small pages, so that paging shows: the API may give fewer than asked for.
    const result = values.slice((page - 1) * PAGE, page * PAGE).map((value) => ({
      id: idOf(zone, name, value),
      name,
      type: 'TXT',
      content: `"${value}"`,
      ttl: 60,
    }));
    const pages = Math.max(1, Math.ceil(values.length / PAGE));
    return fine(result, {
      result_info: { page, per_page: PAGE, count: result.length, total_count: values.length, total_pages: pages },
    });
  };
  const create = (zone: string, request: TwinRequest): TwinAnswer => {
    const { name, content } = bodyOf(request, BODY);
    if (name !== zone && !name.endsWith(`.${zone}`)) refuse(400, 9000, 'DNS name is invalid.');
    const value = unquoted(content);
    const values = store.get(zone, name);
    if (values.includes(value)) refuse(400, 81_058, 'An identical record already exists.');
    store.put(zone, name, [...values, value]);
    return fine({ id: idOf(zone, name, value), name, type: 'TXT', content });
  };
  const remove = (zone: string, id: string): TwinAnswer => {
    const found = [...ids.entries()].find(([key, one]) => one === id && key.startsWith(`${zone} `));
    const [, name = '', value = ''] = found?.[0].split(' ') ?? [];
    if (!store.get(zone, name).includes(value)) refuse(404, 81_044, 'Record does not exist.');
    store.put(
      zone,
      name,
      store.get(zone, name).filter((one) => one !== value),
    );
    return { status: 200, json: { result: { id } } };
  };
  return {
    type: 'cloudflare',
    host: 'api.cloudflare.com',
    settings: { token: TOKEN },
    wrongSettings: { token: 'cf-wrong-Qq7' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => store.add(fqdn, value),
    handle: (request) => {
      if (request.host !== 'api.cloudflare.com') violate(`host ${request.host}`);
      if (request.headers['authorization'] !== `Bearer ${TOKEN}`) refuse(403, 9109, 'Invalid access token');
      const match = /^\/client\/v4\/zones(?:\/([^/]+)\/dns_records(?:\/([^/]+))?)?$/.exec(request.path);
      if (match === null) return violate('no such path');
      const [, zoneId, record] = match;
      if (zoneId === undefined) {
        if (request.method !== 'GET') violate('zones are only listed');
        const name = request.query.get('name') ?? violate('lists all zones');
        return fine(
          zones()
            .filter(([zone]) => zone === name)
            .map(([zone, id]) => ({ id, name: zone, status: 'active' })),
          {
            result_info: { page: 1, per_page: 50, count: 1, total_count: 1, total_pages: 1 },
          },
        );
      }
      const zone = zones().find(([, id]) => id === zoneId)?.[0] ?? refuse(404, 7003, 'Could not route to /zones.');
      if (record !== undefined) return request.method === 'DELETE' ? remove(zone, record) : violate('record method');
      if (request.method === 'GET') return list(zone, request);
      return request.method === 'POST' ? create(zone, request) : violate('records method');
    },
  };
}
