/** Azure DNS of 2018-05-01 and the token endpoint of Microsoft Entra. */
import * as z from 'zod';
import { absolute, bodyOf, Refusal, type Twin, type TwinAnswer, type TwinRequest, violate, ZoneStore } from './twin.ts';

const SETTINGS = {
  tenant_id: '72f988bf-86f1-41af-91ab-2d7cd011db47',
  client_id: '6731de76-14a6-49ae-97bc-6eba6914391e',
  client_secret: 'az-secret~Oo2',
  subscription_id: '00000000-0000-0000-0000-000000000001',
  resource_group: 'dns-group',
};
const TOKEN = 'eyJ.azure-token-Ii7';
const SET = z.strictObject({
  properties: z.strictObject({
    TTL: z.number().int().min(1),
    TXTRecords: z.array(z.strictObject({ value: z.array(z.string().max(255)).length(1) })).min(1),
  }),
});

function refuse(status: number, code: string, message: string): never {
  throw new Refusal({ status, json: { error: { code, message } } });
}

function token({ text, path }: TwinRequest): TwinAnswer {
  if (path !== `/${SETTINGS.tenant_id}/oauth2/v2.0/token`) violate(path);
  const form = new URLSearchParams(text);
  if (form.get('grant_type') !== 'client_credentials' || form.get('scope') !== 'https://management.azure.com/.default')
    violate('form');
  if (form.get('client_id') !== SETTINGS.client_id || form.get('client_secret') !== SETTINGS.client_secret)
    throw new Refusal({
      status: 401,
      json: {
        error: 'invalid_client',
        error_description: `AADSTS7000215: Invalid client secret provided: ${form.get('client_secret')}`,
      },
    });
  return { status: 200, json: { token_type: 'Bearer', expires_in: 3599, access_token: TOKEN } };
}

export function azureTwin(): Twin {
  const store = new ZoneStore();
  const etags = new Map<string, number>();
  let beforeWrite: (() => void) | null = null;
  const touch = (fqdn: string): void => void etags.set(fqdn, (etags.get(fqdn) ?? 0) + 1);
  const etagOf = (fqdn: string): string => `e${etags.get(fqdn) ?? 0}`;
  const write = (zone: string, fqdn: string, request: TwinRequest): TwinAnswer => {
    beforeWrite?.();
    beforeWrite = null;
    const isThere = store.get(zone, fqdn).length > 0;
    const { 'if-match': match, 'if-none-match': none } = request.headers;
    if (match === undefined && none !== '*') violate('writes unconditionally');
    if (none === '*' ? isThere : match !== etagOf(fqdn))
      refuse(412, 'PreconditionFailed', 'The condition was not satisfied');
    touch(fqdn);
    if (request.method === 'DELETE') {
      store.put(zone, fqdn, []);
      return { status: 200 };
    }
    if (request.method !== 'PUT') violate('method');
    const { properties } = bodyOf(request, SET);
    store.put(
      zone,
      fqdn,
      properties.TXTRecords.map(({ value }) => value.join('')),
    );
    return { status: isThere ? 200 : 201, json: { etag: etagOf(fqdn), properties } };
  };
  return {
    type: 'azure',
    host: 'login.microsoftonline.com',
    settings: SETTINGS,
    wrongSettings: { ...SETTINGS, client_secret: 'az-wrong~Aa9' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => {
      store.add(fqdn, value);
      touch(fqdn);
    },
    conflictOnce: (fqdn, value) => {
      beforeWrite = () => {
        store.add(fqdn, value);
        touch(fqdn);
      };
    },
    handle: (request) => {
      if (request.host === 'login.microsoftonline.com') return token(request);
      if (request.host !== 'management.azure.com') violate(`host ${request.host}`);
      if (request.headers['authorization'] !== `Bearer ${TOKEN}`)
        refuse(401, 'InvalidAuthenticationToken', 'The access token is invalid.');
      if (request.query.get('api-version') !== '2018-05-01') violate('api-version');
      const prefix = `/subscriptions/${SETTINGS.subscription_id}/resourceGroups/${SETTINGS.resource_group}/providers/Microsoft.Network/dnsZones/`;
      if (!request.path.startsWith(prefix)) violate('no such path');
      const [, zone = '', name] =
        /^([^/]+)(?:\/TXT\/([^/]+))?$/.exec(request.path.slice(prefix.length)) ?? violate('no such path');
      if (!store.zones.has(zone))
        refuse(404, 'ResourceNotFound', `The Resource 'Microsoft.Network/dnszones/${zone}' was not found.`);
      if (name === undefined) return { status: 200, json: { name: zone, type: 'Microsoft.Network/dnszones' } };
      const fqdn = absolute(name, zone);
      if (request.method !== 'GET') return write(zone, fqdn, request);
      const values = store.get(zone, fqdn);
      if (values.length === 0) refuse(404, 'NotFound', `The resource record '${name}' does not exist`);
      return {
        status: 200,
        json: {
          name,
          etag: etagOf(fqdn),
          properties: { TTL: 60, fqdn: `${fqdn}.`, TXTRecords: values.map((value) => ({ value: [value] })) },
        },
      };
    },
  };
}
