/**
 * Google Cloud DNS with a service account. A change deletes the record set that was read and adds the one that
 * shall be, so that a change in between is refused; then it is waited for.
 */
import * as z from 'zod';
import { readAnswer } from '../answer-shape.ts';
import { createApi } from '../api-client.ts';
import { createGoogleLogin, SERVICE_ACCOUNT } from '../google-login.ts';
import { pollUntilDone } from '../polling.ts';
import { optionalText, secret } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { quoteTxt, unquoteTxt } from '../txt-text.ts';
import { providerOfRecordSets } from '../value-sets.ts';
import { nestedWords } from '../words.ts';
import { createZoneOf } from '../zone-walk.ts';

const TTL = 60;
const PERMISSION = 'the service account needs the role DNS Administrator (roles/dns.admin) in the project';
const ZONES = z.object({
  managedZones: z
    .array(z.object({ name: z.string(), dnsName: z.string(), visibility: z.string().optional() }))
    .optional(),
});
const SETS = z.object({
  rrsets: z
    .array(z.object({ name: z.string(), type: z.string(), ttl: z.number(), rrdatas: z.array(z.string()) }))
    .optional(),
});
const CHANGE = z.object({ id: z.string(), status: z.enum(['pending', 'done']) });

function checkAccount(value: string): string | null {
  try {
    return SERVICE_ACCOUNT.safeParse(JSON.parse(value)).success
      ? null
      : 'is not the key of a service account: it needs "project_id", "client_email" and "private_key"';
  } catch {
    return 'is not JSON';
  }
}

export const google: AnyProviderType = defineProviderType({
  type: 'google',
  title: 'Google Cloud DNS',
  documentation: 'https://cloud.google.com/dns/docs/reference/rest/v1/changes',
  keys: {
    service_account: secret('JSON key of a service account.', {
      example: '${file:/run/secrets/dns.json}',
      check: checkAccount,
    }),
    project: optionalText('Project that has the zones. Without it: that of the service account.'),
  },
  permission: PERMISSION,
  triedAgainst: 'twin',
  create: ({ service_account: json, project }, tools, name) => {
    const provider = 'Google Cloud DNS';
    const account = SERVICE_ACCOUNT.parse(JSON.parse(json));
    const shared = { provider, wordsOf: nestedWords, permission: PERMISSION, secrets: [account.private_key] };
    const authorize = createGoogleLogin(account, shared, tools);
    const base = `https://dns.googleapis.com/dns/v1/projects/${encodeURIComponent(project ?? account.project_id)}`;
    const api = createApi({ ...shared, base, authorize }, tools);
    return providerOfRecordSets(name, {
      zoneOf: createZoneOf(api, async (zone, signal) => {
        const { managedZones = [] } = await api.read(
          { step: 'find the zone', path: '/managedZones', query: { dnsName: `${zone}.` }, signal },
          ZONES,
        );
        const found = managedZones.find((one) => one.dnsName === `${zone}.` && one.visibility !== 'private');
        return found === undefined ? null : { name: zone, id: found.name };
      }),
      read: async ({ zone, fqdn, signal }) => {
        const query = { name: `${fqdn}.`, type: 'TXT' };
        const { rrsets = [] } = await api.read(
          { step: 'read the record', path: `/managedZones/${zone.id}/rrsets`, query, signal },
          SETS,
        );
        const set = rrsets.find((one) => one.name === `${fqdn}.` && one.type === 'TXT');
        return set === undefined ? { values: [] } : { values: set.rrdatas.map(unquoteTxt), ttl: set.ttl };
      },
      write: async ({ zone, fqdn, signal }, values, before) => {
        const step = 'change the record';
        const ttl = before.ttl ?? TTL;
        const setOf = (set: readonly string[]): object[] =>
          set.length === 0 ? [] : [{ name: `${fqdn}.`, type: 'TXT', ttl, rrdatas: set.map(quoteTxt) }];
        const path = `/managedZones/${zone.id}/changes`;
        const pass = [404, 409, 412];
        const change = { additions: setOf(values), deletions: setOf(before.values) };
        const answer = await api.send({ step, method: 'POST', path, json: change, pass, signal });
        if (pass.includes(answer.status)) return 'conflict';
        let { id, status } = readAnswer(answer, CHANGE, step, { provider, host: 'dns.googleapis.com' });
        const ask = async (): Promise<boolean> => {
          if (status !== 'done') ({ id, status } = await api.read({ step, path: `${path}/${id}`, signal }, CHANGE));
          return status === 'done';
        };
        await pollUntilDone({ provider, step, ask, signal }, tools);
        return 'done';
      },
    });
  },
});
