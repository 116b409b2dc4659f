/**
 * Hetzner's Cloud API, which took over from the DNS Console's. Values are added to and removed from a record
 * set; each change is an action that is waited for.
 */
import * as z from 'zod';
import { createApi } from '../api-client.ts';
import { dnsError } from '../dns-error.ts';
import { pollUntilDone } from '../polling.ts';
import { secret } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { quoteTxt, unquoteTxt } from '../txt-text.ts';
import { providerOfRecords } from '../value-sets.ts';
import { nestedWords } from '../words.ts';
import { createZoneOf } from '../zone-walk.ts';

const TTL = 60;
const PERMISSION = 'the token needs Read & Write in the project that has the zone';
const ZONE = z.object({ zone: z.object({ id: z.number(), name: z.string() }) });
const RRSET = z.object({ rrset: z.object({ records: z.array(z.object({ value: z.string() })) }) });
const ACTION = z.object({
  action: z.object({
    id: z.number(),
    status: z.enum(['running', 'success', 'error']),
    error: z.object({ message: z.string() }).nullish(),
  }),
});
type Action = z.infer<typeof ACTION>['action'];

export const hetzner: AnyProviderType = defineProviderType({
  type: 'hetzner',
  title: 'Hetzner',
  documentation: 'https://docs.hetzner.cloud/reference/cloud#tag/zone-rrsets',
  keys: { token: secret('API token of the project, from the Hetzner Console.', { example: '${HETZNER_TOKEN}' }) },
  permission: PERMISSION,
  triedAgainst: 'twin',
  note: 'The Cloud API alone: a zone of the former DNS Console has to be migrated.',
  create: ({ token }, tools, name) => {
    const provider = 'Hetzner';
    const base = 'https://api.hetzner.cloud/v1';
    const headers = { authorization: `Bearer ${token}` };
    const isTransient = ({ status }: { readonly status: number }): boolean => status === 423 || status === 409;
    const api = createApi(
      { provider, base, headers, wordsOf: nestedWords, permission: PERMISSION, isTransient, secrets: [token] },
      tools,
    );
    const finish = (step: string, first: Action, signal: AbortSignal): Promise<void> => {
      let action = first;
      const ask = async (): Promise<boolean> => {
        if (action.status === 'running')
          ({ action } = await api.read({ step, path: `/actions/${action.id}`, signal }, ACTION));
        if (action.status === 'error')
          throw dnsError({
            code: 'DNS_PROVIDER_REFUSED',
            step,
            provider,
            what: 'the action failed',
            words: action.error?.message ?? null,
          });
        return action.status === 'success';
      };
      return pollUntilDone({ provider, step, ask, signal }, tools);
    };
    return providerOfRecords(name, {
      zoneOf: createZoneOf(api, async (zone, signal) => {
        const found = await api.readIfThere({ step: 'find the zone', path: `/zones/${zone}`, signal }, ZONE);
        return found === null ? null : { name: zone, id: String(found.zone.id) };
      }),
      list: async ({ zone, below, signal }) => {
        const path = `/zones/${zone.id}/rrsets/${below || '@'}/TXT`;
        const found = await api.readIfThere({ step: 'list the records', path, signal }, RRSET);
        return (found?.rrset.records ?? []).map(({ value }) => ({ id: value, value: unquoteTxt(value) }));
      },
      create: async ({ zone, below, signal }, value, beside) => {
        const step = 'set the record';
        const path = `/zones/${zone.id}/rrsets/${below || '@'}/TXT/actions/add_records`;
        // A set that is there keeps its TTL: another one is refused ("has differing record TTLs").
        const json = { records: [{ value: quoteTxt(value) }], ...(beside.length === 0 && { ttl: TTL }) };
        const { action } = await api.read({ step, method: 'POST', path, json, signal }, ACTION);
        await finish(step, action, signal);
      },
      remove: async ({ zone, below, signal }, { id }) => {
        const step = 'remove the record';
        const path = `/zones/${zone.id}/rrsets/${below || '@'}/TXT/actions/remove_records`;
        const { action } = await api.read(
          { step, method: 'POST', path, json: { records: [{ value: id }] }, signal },
          ACTION,
        );
        await finish(step, action, signal);
      },
    });
  },
});
