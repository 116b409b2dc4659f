/** OVHcloud API 1.0: signed requests, records by id, a zone that is published by a refresh. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { absolute, bodyOf, Refusal, type Twin, type TwinAnswer, type TwinRequest, violate, ZoneStore } from './twin.ts';

const KEYS = {
  region: 'eu',
  application_key: 'ovh-app-Dd1',
  application_secret: 'ovh-app-secret-Ff2',
  consumer_key: 'ovh-consumer-Hh3',
};
const BODY = z.strictObject({
  fieldType: z.literal('TXT'),
  subDomain: z.string(),
  target: z.string(),
  ttl: z.number().int().min(60),
});
/** The clock of this server is not ours. */
const AHEAD_S = 5000;

function refuse(status: number, errorCode: string, message: string): never {
  throw new Refusal({ status, json: { errorCode, httpCode: String(status), message } });
}

/** As for a consumer key of single zones. */
function absent(zone: string): never {
  if (zone.length % 2 === 0) refuse(403, 'NOT_GRANTED_CALL', 'This call has not been granted');
  refuse(404, 'NOT_FOUND', 'This service does not exist');
}

function checkSignature({ headers, method, href, text }: TwinRequest): void {
  if (headers['x-ovh-application'] !== KEYS.application_key)
    refuse(403, 'INVALID_KEY', 'This application key is invalid');
  const timestamp = headers['x-ovh-timestamp'] ?? '';
  if (Math.abs(Number(timestamp) - Date.now() / 1000 - AHEAD_S) > 30)
    refuse(400, 'QUERY_TIME_OUT', 'Query out of time');
  const signed = [KEYS.application_secret, KEYS.consumer_key, method, href, text, timestamp].join('+');
  const wanted = `$1$${createHash('sha1').update(signed).digest('hex')}`;
  if (headers['x-ovh-consumer'] !== KEYS.consumer_key || headers['x-ovh-signature'] !== wanted)
    refuse(403, 'INVALID_SIGNATURE', 'Invalid signature');
}

export function ovhTwin(): Twin {
  const draft = new ZoneStore();
  const published = new ZoneStore();
  const ids: { readonly zone: string; readonly fqdn: string; readonly value: string }[] = [];
  const idOf = (zone: string, fqdn: string, value: string): number => {
    const index = ids.findIndex((one) => one.zone === zone && one.fqdn === fqdn && one.value === value);
    return index === -1 ? ids.push({ zone, fqdn, value }) : index + 1;
  };
  const record = (zone: string, id: number, method: string): TwinAnswer => {
    const { fqdn = '', value = '' } = ids[id - 1] ?? {};
    if (!draft.get(zone, fqdn).includes(value)) refuse(404, 'NOT_FOUND', 'The requested object does not exist');
    const subDomain = fqdn === zone ? '' : fqdn.slice(0, -zone.length - 1);
    if (method === 'GET')
      return { status: 200, json: { id, zone, fieldType: 'TXT', subDomain, target: `"${value}"`, ttl: 60 } };
    if (method !== 'DELETE') violate('record method');
    draft.removeOne(zone, fqdn, value);
    return { status: 200, text: 'null', headers: { 'content-type': 'application/json' } };
  };
  const records = (zone: string, request: TwinRequest): TwinAnswer => {
    if (request.method === 'POST') {
      const { subDomain, target } = bodyOf(request, BODY);
      const fqdn = absolute(subDomain, zone);
      draft.put(zone, fqdn, [...draft.get(zone, fqdn), target]);
      return { status: 200, json: { id: idOf(zone, fqdn, target), zone, fieldType: 'TXT', subDomain, target } };
    }
    if (request.query.get('fieldType') !== 'TXT') violate('lists more than TXT');
    const fqdn = absolute(request.query.get('subDomain') ?? violate('lists the whole zone'), zone);
    return { status: 200, json: draft.get(zone, fqdn).map((value) => idOf(zone, fqdn, value)) };
  };
  return {
    type: 'ovh',
    host: 'eu.api.ovh.com',
    settings: KEYS,
    wrongSettings: { ...KEYS, application_secret: 'ovh-app-wrong-Jj5' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => published.valuesOf(fqdn),
    seed: (fqdn, value) => {
      draft.add(fqdn, value);
      published.add(fqdn, value);
    },
    handle: (request) => {
      if (request.host !== 'eu.api.ovh.com') violate(`host ${request.host}`);
      if (request.path === '/1.0/auth/time') return { status: 200, json: Math.round(Date.now() / 1000) + AHEAD_S };
      checkSignature(request);
      const [, zone = '', what, id] =
        /^\/1\.0\/domain\/zone\/([^/]+)(?:\/(record|refresh)(?:\/(\d+))?)?$/.exec(request.path) ??
        violate('no such path');
      const names = draft.zones.get(zone) ?? absent(zone);
      if (what === undefined) return { status: 200, json: { name: zone, dnssecSupported: true } };
      if (what === 'record')
        return id === undefined ? records(zone, request) : record(zone, Number(id), request.method);
      if (request.method !== 'POST') violate('refresh method');
      published.zones.set(zone, new Map(names));
      return { status: 200, text: 'null', headers: { 'content-type': 'application/json' } };
    },
  };
}
