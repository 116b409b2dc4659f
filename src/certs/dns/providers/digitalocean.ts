/** DigitalOcean's API v2 with a personal access token. A record is one value, written without quotes. */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { secret } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { unquoteTxt } from '../txt-text.ts';
import { providerOfRecords, type SingleRecord } from '../value-sets.ts';
import { wordsAt } from '../words.ts';
import { createZoneOf, findByStatus } from '../zone-walk.ts';

/** The least that it takes. */
const TTL = 30;
const PERMISSION = 'the token needs the scopes domain:read, domain:create and domain:delete';
const RECORDS = z.object({
  domain_records: z.array(z.object({ id: z.number(), type: z.string(), name: z.string(), data: z.string() })),
  links: z.object({ pages: z.object({ next: z.url().optional() }).optional() }).optional(),
});

export const digitalocean: AnyProviderType = defineProviderType({
  type: 'digitalocean',
  title: 'DigitalOcean',
  documentation: 'https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domain-Records',
  keys: { token: secret('Personal access token.', { example: '${DO_TOKEN}' }) },
  permission: PERMISSION,
  triedAgainst: 'twin',
  create: ({ token }, tools, name) => {
    const provider = 'DigitalOcean';
    const base = 'https://api.digitalocean.com/v2';
    const headers = { authorization: `Bearer ${token}` };
    const api = createApi(
      { provider, base, headers, wordsOf: wordsAt('message'), permission: PERMISSION, secrets: [token] },
      tools,
    );
    const zoneOf = createZoneOf(api, findByStatus(api, '/domains'));
    return providerOfRecords(name, {
      zoneOf,
      list: async ({ zone, fqdn, below, signal }) => {
        const found: SingleRecord[] = [];
        let path: string | undefined = `/domains/${zone.id}/records?type=TXT&name=${fqdn}&per_page=200`;
        while (path !== undefined) {
          const page: z.infer<typeof RECORDS> = await api.read({ step: 'list the records', path, signal }, RECORDS);
          for (const one of page.domain_records) {
            if (one.name === (below || '@')) found.push({ id: String(one.id), value: unquoteTxt(one.data) });
          }
          path = page.links?.pages?.next;
        }
        return found;
      },
      create: async ({ zone, below, signal }, value) => {
        const json = { type: 'TXT', name: below || '@', data: value, ttl: TTL };
        await api.send({ step: 'set the record', method: 'POST', path: `/domains/${zone.id}/records`, json, signal });
      },
      remove: async ({ zone, signal }, { id }) => {
        const path = `/domains/${zone.id}/records/${id}`;
        await api.send({ step: 'remove the record', method: 'DELETE', path, pass: [404], signal });
      },
    });
  },
});
