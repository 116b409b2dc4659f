/** Amazon Route 53 with an access key: a record set is changed by one batch, which is waited for until INSYNC. */
import { createApi } from '../api-client.ts';
import { dnsError } from '../dns-error.ts';
import { pollUntilDone } from '../polling.ts';
import { optionalSecret, optionalText, secret, text } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import {
  changeBatchXml,
  errorWordsOf,
  hostedZonesOf,
  isConflict,
  isRefusal,
  isTransient,
  recordSetOf,
} from '../route53-xml.ts';
import { signV4 } from '../signature-v4.ts';
import { providerOfRecordSets } from '../value-sets.ts';
import { elementsOf, textOf } from '../xml-text.ts';
import { createZoneOf } from '../zone-walk.ts';

const TTL = 60;
const SCOPE = { region: 'us-east-1', service: 'route53' } as const;
const PERMISSION =
  'the key needs route53:ListHostedZonesByName, route53:ListResourceRecordSets, route53:ChangeResourceRecordSets and route53:GetChange';

/** An element that every good answer has. */
function needed(xml: string, element: string, step: string): string {
  const [found] = elementsOf(xml, element);
  if (found !== undefined) return found;
  const what = 'route53.amazonaws.com answered something else than it documents';
  throw dnsError({ code: 'DNS_PROVIDER_UNAVAILABLE', step, provider: 'Route 53', what });
}

export const route53: AnyProviderType = defineProviderType({
  type: 'route53',
  title: 'Amazon Route 53',
  documentation: 'https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html',
  keys: {
    access_key_id: text('Access key of an IAM user.', { example: 'AKIAIOSFODNN7EXAMPLE' }),
    secret_access_key: secret('Its secret.', { example: '${AWS_SECRET_ACCESS_KEY}' }),
    session_token: optionalSecret('For temporary credentials.'),
    hosted_zone_id: optionalText('The zone, where several have the same name.', { example: 'Z2ABCDEF123456' }),
  },
  permission: PERMISSION,
  triedAgainst: 'twin',
  create: ({ access_key_id: accessKeyId, secret_access_key: key, session_token: token, ...rest }, tools, name) => {
    const credentials = { accessKeyId, secretAccessKey: key, sessionToken: token };
    const options = {
      provider: 'Route 53',
      base: 'https://route53.amazonaws.com/2013-04-01',
      headers: { accept: 'text/xml' },
      wordsOfText: errorWordsOf,
      permission: PERMISSION,
      isTransient,
      isRefusal,
      secrets: [key, token ?? ''],
    };
    const api = createApi(
      { ...options, authorize: async (draft) => signV4(draft, credentials, SCOPE, tools.clock.now()) },
      tools,
    );
    return providerOfRecordSets(name, {
      zoneOf: createZoneOf(api, async (zone, signal) => {
        const call = {
          step: 'find the zone',
          path: '/hostedzonesbyname',
          query: { dnsname: `${zone}.`, maxitems: '10' },
          signal,
        };
        const xml = needed((await api.send(call)).text, 'ListHostedZonesByNameResponse', call.step);
        const zones = hostedZonesOf(xml).filter((one) => one.name === `${zone}.`);
        const found = zones.find((one) =>
          rest.hosted_zone_id === undefined ? !one.isPrivate : one.id === rest.hosted_zone_id,
        );
        return found === undefined ? null : { name: zone, id: found.id };
      }),
      read: async ({ zone, fqdn, signal }) => {
        const query = { name: `${fqdn}.`, type: 'TXT', maxitems: '1' };
        const call = { step: 'read the record', path: `/hostedzone/${zone.id}/rrset`, query, signal };
        return recordSetOf(needed((await api.send(call)).text, 'ListResourceRecordSetsResponse', call.step), fqdn);
      },
      write: async ({ zone, fqdn, signal }, after, { values: before, ttl = TTL }) => {
        const step = 'change the record';
        const body = { type: 'text/xml', text: changeBatchXml({ fqdn, ttl, before, after }) };
        const path = `/hostedzone/${zone.id}/rrset`;
        let answer = await api.send({ step, method: 'POST', path, body, pass: isConflict, signal });
        if (isConflict(answer)) return 'conflict';
        const change = needed(answer.text, 'Id', step).replace('/change/', '');
        const ask = async (): Promise<boolean> => {
          if (textOf(answer.text, 'Status') !== 'INSYNC')
            answer = await api.send({ step, path: `/change/${change}`, signal });
          return textOf(answer.text, 'Status') === 'INSYNC';
        };
        await pollUntilDone({ provider: api.provider, step, ask, signal }, tools);
        return 'done';
      },
    });
  },
});
