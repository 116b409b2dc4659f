/** OVHcloud's API v1 with application and consumer keys. Requests are signed; a zone is published after a change. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Answer } from '../answer-shape.ts';
import { createApi, type Draft } from '../api-client.ts';
import { secret, word } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { unquoteTxt } from '../txt-text.ts';
import { type Place, providerOfRecords, type SingleRecord } from '../value-sets.ts';
import { wordsAt } from '../words.ts';
import { createZoneOf, findByStatus } from '../zone-walk.ts';

const TTL = 60;
const PERMISSION = 'the consumer key needs GET, POST and DELETE on /domain/zone/ZONE and /domain/zone/ZONE/*';
const BASES: Readonly<Record<string, string>> = {
  eu: 'https://eu.api.ovh.com/1.0',
  ca: 'https://ca.api.ovh.com/1.0',
  us: 'https://api.us.ovhcloud.com/1.0',
};
const RECORD = z.object({ id: z.number(), subDomain: z.string().nullable(), target: z.string() });

/** A key for some zones may not even ask for others, also for those that do not exist. */
function isAbsent({ status, json }: Answer): boolean {
  return status === 404 || (status === 403 && wordsAt('errorCode')(json) === 'NOT_GRANTED_CALL');
}

/** "$1$" and SHA-1 over secret, consumer key, method, address, body and the server's time. */
function signatureOf({ method, url, body }: Draft, secrets: readonly string[], timestamp: string): string {
  const signed = [...secrets, method, url.href, body, timestamp].join('+');
  return `$1$${createHash('sha1').update(signed).digest('hex')}`;
}

export const ovh: AnyProviderType = defineProviderType({
  type: 'ovh',
  title: 'OVHcloud',
  documentation: 'https://eu.api.ovh.com/console/?section=%2Fdomain',
  keys: {
    region: word('Which of its APIs the account belongs to.', ['eu', 'ca', 'us'], 'eu'),
    application_key: secret('Application key.', { example: '${OVH_APPLICATION_KEY}' }),
    application_secret: secret('Application secret.', { example: '${OVH_APPLICATION_SECRET}' }),
    consumer_key: secret('Consumer key.', { example: '${OVH_CONSUMER_KEY}' }),
  },
  permission: PERMISSION,
  triedAgainst: 'twin',
  create: ({ region, application_key: app, application_secret: appSecret, consumer_key: consumer }, tools, name) => {
    const base = BASES[region] ?? '';
    const shared = { provider: 'OVHcloud', base, wordsOf: wordsAt('message'), permission: PERMISSION };
    const unsigned = createApi({ ...shared, secrets: [] }, tools);
    const seconds = (): number => Math.round(tools.clock.now() / 1000);
    let offset: number | null = null;
    const authorize = async (draft: Draft, signal: AbortSignal): Promise<Record<string, string>> => {
      const call = { step: 'ask for the time', path: '/auth/time', signal };
      offset ??= (await unsigned.read(call, z.number())) - seconds();
      const timestamp = String(seconds() + offset);
      const signature = signatureOf(draft, [appSecret, consumer], timestamp);
      return {
        'x-ovh-application': app,
        'x-ovh-consumer': consumer,
        'x-ovh-timestamp': timestamp,
        'x-ovh-signature': signature,
      };
    };
    const api = createApi({ ...shared, authorize, secrets: [app, appSecret, consumer] }, tools);
    const publish = async ({ zone, signal }: Place): Promise<void> => {
      await api.send({ step: 'publish the zone', method: 'POST', path: `/domain/zone/${zone.id}/refresh`, signal });
    };
    return providerOfRecords(name, {
      zoneOf: createZoneOf(api, findByStatus(api, '/domain/zone', isAbsent)),
      list: async ({ zone, below, signal }) => {
        const call = { step: 'list the records', path: `/domain/zone/${zone.id}/record`, signal };
        const query = { fieldType: 'TXT', subDomain: below };
        const found: SingleRecord[] = [];
        for (const id of await api.read({ ...call, query }, z.array(z.number()))) {
          const record = await api.read({ ...call, path: `${call.path}/${id}` }, RECORD);
          if ((record.subDomain ?? '') === below) found.push({ id: String(id), value: unquoteTxt(record.target) });
        }
        return found;
      },
      create: async (place, value) => {
        const { zone, below, signal } = place;
        const json = { fieldType: 'TXT', subDomain: below, target: value, ttl: TTL };
        await api.send({
          step: 'set the record',
          method: 'POST',
          path: `/domain/zone/${zone.id}/record`,
          json,
          signal,
        });
        await publish(place);
      },
      remove: async (place, { id }) => {
        const { zone, signal } = place;
        const path = `/domain/zone/${zone.id}/record/${id}`;
        await api.send({ step: 'remove the record', method: 'DELETE', path, pass: [404], signal });
        await publish(place);
      },
    });
  },
});
