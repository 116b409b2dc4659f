/** Azure DNS with a service principal. A record set is written whole, held by its etag against others' changes. */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { createTokenSource } from '../oauth-token.ts';
import { optionalText, secret, text } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { providerOfRecordSets } from '../value-sets.ts';
import { nestedWords } from '../words.ts';
import { createZoneOf } from '../zone-walk.ts';

const TTL = 60;
const QUERY = { 'api-version': '2018-05-01' };
const PERMISSION = 'the service principal needs the role DNS Zone Contributor on the zone or its resource group';
const ZONE = z.object({ name: z.string() });
const SET = z.object({
  etag: z.string(),
  properties: z.object({ TTL: z.number(), TXTRecords: z.array(z.object({ value: z.array(z.string()) })).optional() }),
});

export const azure: AnyProviderType = defineProviderType({
  type: 'azure',
  title: 'Azure DNS',
  documentation: 'https://learn.microsoft.com/rest/api/dns/record-sets',
  keys: {
    tenant_id: text('Directory (tenant) id.'),
    client_id: text('Application (client) id.'),
    client_secret: secret('Secret of the application.', { example: '${AZURE_CLIENT_SECRET}' }),
    subscription_id: text('Subscription that has the zone.'),
    resource_group: text('Resource group that has the zone.'),
    zone: optionalText('The zone, needed where the role is assigned on the zone alone.', { example: 'example.com' }),
  },
  permission: PERMISSION,
  triedAgainst: 'twin',
  create: (keys, tools, name) => {
    const provider = 'Azure DNS';
    const shared = { provider, wordsOf: nestedWords, permission: PERMISSION, secrets: [keys.client_secret] };
    const isRefusal = ({ status }: { readonly status: number }): boolean => status === 400;
    const login = createApi({ ...shared, base: 'https://login.microsoftonline.com', isRefusal }, tools);
    const form = async (): Promise<Record<string, string>> => ({
      grant_type: 'client_credentials',
      client_id: keys.client_id,
      client_secret: keys.client_secret,
      scope: 'https://management.azure.com/.default',
    });
    const token = createTokenSource(
      login,
      { path: `/${encodeURIComponent(keys.tenant_id)}/oauth2/v2.0/token`, form },
      tools.clock,
    );
    const group = `/subscriptions/${encodeURIComponent(keys.subscription_id)}/resourceGroups/${encodeURIComponent(keys.resource_group)}`;
    const base = `https://management.azure.com${group}/providers/Microsoft.Network/dnsZones`;
    const authorize = async (_: unknown, signal: AbortSignal): Promise<Record<string, string>> => ({
      authorization: `Bearer ${await token(signal)}`,
    });
    const api = createApi({ ...shared, base, authorize }, tools);
    const only = keys.zone?.toLowerCase();
    return providerOfRecordSets(name, {
      zoneOf: createZoneOf(api, async (zone, signal) => {
        if (only !== undefined) return zone === only ? { name: zone, id: zone } : null;
        const found = await api.readIfThere({ step: 'find the zone', path: `/${zone}`, query: QUERY, signal }, ZONE);
        return found === null ? null : { name: zone, id: found.name };
      }),
      read: async ({ zone, below, signal }) => {
        const call = { step: 'read the record', path: `/${zone.id}/TXT/${below || '@'}`, query: QUERY, signal };
        const found = await api.readIfThere(call, SET);
        if (found === null) return { values: [] };
        const { etag, properties } = found;
        return {
          values: (properties.TXTRecords ?? []).map(({ value }) => value.join('')),
          version: etag,
          ttl: properties.TTL,
        };
      },
      write: async ({ zone, below, signal }, values, { version, ttl = TTL }) => {
        const held: Record<string, string> = version === undefined ? { 'if-none-match': '*' } : { 'if-match': version };
        const shared = { path: `/${zone.id}/TXT/${below || '@'}`, query: QUERY, headers: held, pass: [412], signal };
        const json = { properties: { TTL: ttl, TXTRecords: values.map((value) => ({ value: [value] })) } };
        const { status } =
          values.length === 0
            ? await api.send({ ...shared, step: 'remove the record', method: 'DELETE' })
            : await api.send({ ...shared, step: 'set the record', method: 'PUT', json });
        return status === 412 ? 'conflict' : 'done';
      },
    });
  },
});
