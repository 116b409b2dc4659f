/** Gandi's LiveDNS v5 with a personal access token. A record set is written whole. */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { secret } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { quoteTxt, unquoteTxt } from '../txt-text.ts';
import { providerOfRecordSets } from '../value-sets.ts';
import { wordsAt } from '../words.ts';
import { createZoneOf, findByStatus } from '../zone-walk.ts';

/** The least that it takes. */
const TTL = 300;
const PERMISSION = 'the token needs "Manage domain name technical configurations" for the domain';
const SET = z.object({ rrset_values: z.array(z.string()), rrset_ttl: z.number() });

export const gandi: AnyProviderType = defineProviderType({
  type: 'gandi',
  title: 'Gandi',
  documentation: 'https://api.gandi.net/docs/livedns/',
  keys: { token: secret('Personal access token (API keys are no longer given out).', { example: '${GANDI_TOKEN}' }) },
  permission: PERMISSION,
  triedAgainst: 'twin',
  note: 'A record set is read and written whole: programs beside Postern must not change the same name at the same moment.',
  create: ({ token }, tools, name) => {
    const provider = 'Gandi';
    const base = 'https://api.gandi.net/v5/livedns';
    const headers = { authorization: `Bearer ${token}` };
    const api = createApi(
      { provider, base, headers, wordsOf: wordsAt('message', 'cause'), permission: PERMISSION, secrets: [token] },
      tools,
    );
    const pathOf = (zone: string, below: string): string => `/domains/${zone}/records/${below || '@'}/TXT`;
    return providerOfRecordSets(name, {
      // A token for some domains gets 403 for all others, also for those that do not exist.
      zoneOf: createZoneOf(
        api,
        findByStatus(api, '/domains', ({ status }) => status === 403 || status === 404),
      ),
      read: async ({ zone, below, signal }) => {
        const found = await api.readIfThere({ step: 'read the record', path: pathOf(zone.id, below), signal }, SET);
        return found === null ? { values: [] } : { values: found.rrset_values.map(unquoteTxt), ttl: found.rrset_ttl };
      },
      write: async ({ zone, below, signal }, values, before) => {
        const path = pathOf(zone.id, below);
        const json = { rrset_values: values.map(quoteTxt), rrset_ttl: before.ttl ?? TTL };
        if (values.length === 0)
          await api.send({ step: 'remove the record', method: 'DELETE', path, pass: [404], signal });
        else await api.send({ step: 'set the record', method: 'PUT', path, json, signal });
        return 'done';
      },
    });
  },
});
