/** Porkbun's API v3 with a pair of keys. A record is one value, written without quotes. */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { secret } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { unquoteTxt } from '../txt-text.ts';
import { providerOfRecords } from '../value-sets.ts';
import { wordsAt } from '../words.ts';
import { createZoneOf } from '../zone-walk.ts';

/** The least that it takes, as text. */
const TTL = '600';
const PAGE = 1000;
const PERMISSION = 'both keys are right and "API Access" is switched on for the domain';
const DOMAINS = z.object({ status: z.literal('SUCCESS'), domains: z.array(z.object({ domain: z.string() })) });
const RECORDS = z.object({
  status: z.literal('SUCCESS'),
  records: z.array(
    z.object({ id: z.union([z.string(), z.number()]), name: z.string(), type: z.string(), content: z.string() }),
  ),
});
const DONE = z.object({ status: z.literal('SUCCESS') });

export const porkbun: AnyProviderType = defineProviderType({
  type: 'porkbun',
  title: 'Porkbun',
  documentation: 'https://porkbun.com/api/json/v3/documentation',
  keys: {
    api_key: secret('API key (`pk1_…`).', { example: '${PORKBUN_API_KEY}' }),
    secret_api_key: secret('Secret key (`sk1_…`).', { example: '${PORKBUN_SECRET_API_KEY}' }),
  },
  permission: PERMISSION,
  triedAgainst: 'twin',
  create: ({ api_key: key, secret_api_key: secretKey }, tools, name) => {
    const provider = 'Porkbun';
    const wordsOf = wordsAt('message');
    const api = createApi(
      {
        provider,
        base: 'https://api.porkbun.com/api/json/v3',
        headers: { 'x-api-key': key, 'x-secret-api-key': secretKey },
        wordsOf,
        permission: PERMISSION,
        isRefusal: ({ status, json }) => status === 400 && /api (?:key|access)/i.test(wordsOf(json) ?? ''),
        secrets: [key, secretKey],
      },
      tools,
    );
    const hasDomain = async (domain: string, signal: AbortSignal): Promise<boolean> => {
      for (let start = 0; ; start += PAGE) {
        const call = {
          step: 'find the zone',
          method: 'POST',
          path: '/domain/listAll',
          json: { start: String(start) },
          signal,
        } as const;
        const { domains } = await api.read(call, DOMAINS);
        if (domains.some((one) => one.domain === domain)) return true;
        if (domains.length < PAGE) return false;
      }
    };
    return providerOfRecords(name, {
      zoneOf: createZoneOf(api, async (zone, signal) =>
        (await hasDomain(zone, signal)) ? { name: zone, id: zone } : null,
      ),
      list: async ({ zone, fqdn, below, signal }) => {
        const path = `/dns/retrieveByNameType/${zone.id}/TXT${below === '' ? '' : `/${below}`}`;
        const { records } = await api.read(
          { step: 'list the records', method: 'POST', path, json: {}, signal },
          RECORDS,
        );
        return records
          .filter((one) => one.name === fqdn)
          .map((one) => ({ id: String(one.id), value: unquoteTxt(one.content) }));
      },
      create: async ({ zone, below, signal }, value) => {
        const json = { name: below, type: 'TXT', content: value, ttl: TTL };
        await api.read({ step: 'set the record', method: 'POST', path: `/dns/create/${zone.id}`, json, signal }, DONE);
      },
      remove: async ({ zone, signal }, { id }) => {
        const path = `/dns/delete/${zone.id}/${id}`;
        await api.read({ step: 'remove the record', method: 'POST', path, json: {}, signal }, DONE);
      },
    });
  },
});
