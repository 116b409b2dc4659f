/** Cloudflare's API v4 with an API token. A record is one value; content stands in quotes. */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { secret } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { quoteTxt, unquoteTxt } from '../txt-text.ts';
import { providerOfRecords, type SingleRecord } from '../value-sets.ts';
import { createZoneOf } from '../zone-walk.ts';

const TTL = 60;
const PERMISSION = 'the token needs Zone:Zone:Read and Zone:DNS:Edit for the zone';
/** "An identical record already exists." */
const IDENTICAL = new Set([81_057, 81_058]);
/** "Invalid request headers", as a token of the wrong form gets. */
const BAD_HEADERS = 6003;

const ERRORS = z.object({ errors: z.array(z.object({ code: z.number(), message: z.string() })) });
const ZONES = z.object({ success: z.literal(true), result: z.array(z.object({ id: z.string(), name: z.string() })) });
const RECORDS = z.object({
  success: z.literal(true),
  result: z.array(z.object({ id: z.string(), name: z.string(), type: z.string(), content: z.string() })),
  result_info: z.object({ page: z.number(), total_pages: z.number() }),
});

function errorsOf(body: unknown): z.infer<typeof ERRORS>['errors'] {
  const result = ERRORS.safeParse(body);
  return result.success ? result.data.errors : [];
}

function wordsOf(body: unknown): string | null {
  const errors = errorsOf(body).map(({ message, code }) => `${message} (${code})`);
  return errors.length === 0 ? null : errors.join(', ');
}

export const cloudflare: AnyProviderType = defineProviderType({
  type: 'cloudflare',
  title: 'Cloudflare',
  documentation: 'https://developers.cloudflare.com/api/resources/dns/subresources/records/',
  keys: { token: secret('API token, not the global key.', { example: '${CLOUDFLARE_TOKEN}' }) },
  permission: PERMISSION,
  triedAgainst: 'twin',
  create: ({ token }, tools, name) => {
    const provider = 'Cloudflare';
    const api = createApi(
      {
        provider,
        base: 'https://api.cloudflare.com/client/v4',
        headers: { authorization: `Bearer ${token}` },
        wordsOf,
        permission: PERMISSION,
        isRefusal: ({ status, json }) => status === 400 && errorsOf(json).some(({ code }) => code === BAD_HEADERS),
        secrets: [token],
      },
      tools,
    );
    const zoneOf = createZoneOf(api, async (zone, signal) => {
      const { result } = await api.read(
        { step: 'find the zone', path: '/zones', query: { name: zone, per_page: '50' }, signal },
        ZONES,
      );
      return result.find((one) => one.name === zone) ?? null;
    });
    return providerOfRecords(name, {
      zoneOf,
      list: async ({ zone, fqdn, signal }) => {
        const found: SingleRecord[] = [];
        for (let page = 1, pages = 1; page <= pages; page++) {
          const query = { type: 'TXT', name: fqdn, per_page: '100', page: String(page) };
          const call = { step: 'list the records', path: `/zones/${zone.id}/dns_records`, query, signal };
          const { result, result_info: info } = await api.read(call, RECORDS);
          pages = info.total_pages;
          for (const one of result) if (one.name === fqdn) found.push({ id: one.id, value: unquoteTxt(one.content) });
        }
        return found;
      },
      create: async ({ zone, fqdn, signal }, value) => {
        const json = { type: 'TXT', name: fqdn, content: quoteTxt(value), ttl: TTL };
        const pass = (answer: { readonly json: unknown }): boolean =>
          errorsOf(answer.json).some(({ code }) => IDENTICAL.has(code));
        await api.send({
          step: 'set the record',
          method: 'POST',
          path: `/zones/${zone.id}/dns_records`,
          json,
          pass,
          signal,
        });
      },
      remove: async ({ zone, signal }, { id }) => {
        const path = `/zones/${zone.id}/dns_records/${id}`;
        await api.send({ step: 'remove the record', method: 'DELETE', path, pass: [404], signal });
      },
    });
  },
});
