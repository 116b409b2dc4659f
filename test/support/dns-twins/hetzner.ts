/** Hetzner Cloud API v1: zones, record sets and their actions. */
import * as z from 'zod';
import {
  absolute,
  bodyOf,
  Refusal,
  type Twin,
  type TwinAnswer,
  type TwinRequest,
  unquoted,
  violate,
  ZoneStore,
} from './twin.ts';

const TOKEN = 'hz-token-Mm2';
const VALUE = z.strictObject({ value: z.string() });
const ADD = z.strictObject({
  records: z.array(VALUE).min(1),
  ttl: z.number().int().min(60).max(2_147_483_647).optional(),
});
const REMOVE = z.strictObject({ records: z.array(VALUE).min(1) });

function refuse(status: number, code: string, message: string): never {
  throw new Refusal({ status, json: { error: { code, message, details: null } } });
}

export function hetznerTwin(): Twin {
  const store = new ZoneStore();
  const seeded = new Set<string>();
  const running = new Map<number, number>();
  const act = (): TwinAnswer => {
    const id = running.size + 1;
    running.set(id, 2);
    return { status: 201, json: { action: { id, command: 'x', status: 'running', progress: 50, error: null } } };
  };
  const look = (id: number): TwinAnswer => {
    const left = running.get(id) ?? refuse(404, 'not_found', 'action not found');
    running.set(id, left - 1);
    return {
      status: 200,
      json: { action: { id, command: 'x', status: left > 1 ? 'running' : 'success', progress: 100, error: null } },
    };
  };
  const add = (zone: string, fqdn: string, request: TwinRequest): TwinAnswer => {
    const { records, ttl } = bodyOf(request, ADD);
    const values = records.map(({ value }) => unquoted(value));
    // What was seeded has an hour.
    const wanted = seeded.has(fqdn) ? 3600 : 60;
    if (store.get(zone, fqdn).length > 0 && ttl !== undefined && ttl !== wanted)
      refuse(422, 'invalid_input', 'has differing record TTLs');
    if (values.some((value) => store.get(zone, fqdn).includes(value))) refuse(422, 'invalid_input', 'duplicate value');
    store.put(zone, fqdn, [...store.get(zone, fqdn), ...values]);
    return act();
  };
  const remove = (zone: string, fqdn: string, request: TwinRequest): TwinAnswer => {
    const values = bodyOf(request, REMOVE).records.map(({ value }) => unquoted(value));
    if (!values.every((value) => store.get(zone, fqdn).includes(value))) refuse(404, 'not_found', 'record not found');
    store.put(
      zone,
      fqdn,
      store.get(zone, fqdn).filter((one) => !values.includes(one)),
    );
    return act();
  };
  const rrset = (zone: string, name: string, action: string | undefined, request: TwinRequest): TwinAnswer => {
    const fqdn = absolute(name, zone);
    if (action === 'add_records' && request.method === 'POST') return add(zone, fqdn, request);
    if (action === 'remove_records' && request.method === 'POST') return remove(zone, fqdn, request);
    if (action !== undefined || request.method !== 'GET') violate('no such action');
    const values = store.get(zone, fqdn);
    if (values.length === 0) refuse(404, 'not_found', 'rrset not found');
    return {
      status: 200,
      json: {
        rrset: {
          id: `${name}/TXT`,
          name,
          type: 'TXT',
          ttl: 60,
          records: values.map((value) => ({ value: `"${value}"`, comment: '' })),
        },
      },
    };
  };
  return {
    type: 'hetzner',
    host: 'api.hetzner.cloud',
    settings: { token: TOKEN },
    wrongSettings: { token: 'hz-wrong-Kk8' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => {
      seeded.add(fqdn);
      store.add(fqdn, value);
    },
    handle: (request) => {
      if (request.host !== 'api.hetzner.cloud') violate(`host ${request.host}`);
      if (request.headers['authorization'] !== `Bearer ${TOKEN}`)
        refuse(401, 'unauthorized', 'the given token is not valid');
      const action = /^\/v1\/actions\/(\d+)$/.exec(request.path);
      if (action !== null) return look(Number(action[1]));
      const match = /^\/v1\/zones\/([^/]+)(?:\/rrsets\/([^/]+)\/TXT(?:\/actions\/([a-z_]+))?)?$/.exec(request.path);
      const [, idOrName = '', name, what] = match ?? violate('no such path');
      const names = [...store.zones.keys()];
      const zone =
        names.find((one, index) => one === idOrName || String(index + 1) === idOrName) ??
        refuse(404, 'not_found', 'zone not found');
      if (name === undefined)
        return { status: 200, json: { zone: { id: names.indexOf(zone) + 1, name: zone, mode: 'primary' } } };
      return rrset(zone, name, what, request);
    },
  };
}
