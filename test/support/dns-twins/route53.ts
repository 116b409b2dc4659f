/** Amazon Route 53, API of 2013-04-01: signed requests, XML, batches that fit as a whole or not at all. */
import { createHash, createHmac } from 'node:crypto';
import {
  absolute,
  Refusal,
  type Twin,
  type TwinAnswer,
  type TwinRequest,
  unquoted,
  violate,
  ZoneStore,
} from './twin.ts';

const ID = 'AKIAIOSFODNN7EXAMPLE';
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const NS = 'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"';

function xml(status: number, text: string): TwinAnswer {
  return { status, text: `<?xml version="1.0" encoding="UTF-8"?>\n${text}`, headers: { 'content-type': 'text/xml' } };
}

function refuse(status: number, code: string, message: string): never {
  throw new Refusal(
    xml(
      status,
      `<ErrorResponse ${NS}><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
    ),
  );
}

/** Signature Version 4 as its documentation derives it, from what arrived. */
function checkSignature({ method, host, path, query, headers, text }: TwinRequest): void {
  const sent = headers['authorization'] ?? '';
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/us-east-1\/route53\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      sent,
    );
  const [, id = '', day = '', names = '', signature = ''] =
    match ?? refuse(403, 'IncompleteSignature', 'Authorization header is malformed');
  if (id !== ID) refuse(403, 'InvalidClientTokenId', 'The security token included in the request is invalid.');
  if (!names.split(';').includes('host')) violate('the host is not signed');
  const date = headers['x-amz-date'] ?? violate('no date');
  if (
    !date.startsWith(day) ||
    Math.abs(Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')) - Date.now()) > 60_000
  )
    violate('date');
  const sha = (one: string): string => createHash('sha256').update(one).digest('hex');
  const encode = (one: string): string =>
    encodeURIComponent(one).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = [...query]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const lines = names.split(';').map((name) => `${name}:${name === 'host' ? host : headers[name]}`);
  const canonical = [method, path, pairs, ...lines, '', names, sha(text)].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, `${day}/us-east-1/route53/aws4_request`, sha(canonical)].join('\n');
  let key: Buffer = Buffer.from(`AWS4${SECRET}`);
  for (const part of [day, 'us-east-1', 'route53', 'aws4_request'])
    key = createHmac('sha256', key).update(part).digest();
  if (createHmac('sha256', key).update(toSign).digest('hex') !== signature)
    refuse(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided.',
    );
}

const CHANGE =
  /<Change><Action>(CREATE|DELETE)<\/Action><ResourceRecordSet><Name>([^<]+)\.<\/Name><Type>TXT<\/Type><TTL>(\d+)<\/TTL><ResourceRecords>((?:<ResourceRecord><Value>[^<]+<\/Value><\/ResourceRecord>)+)<\/ResourceRecords><\/ResourceRecordSet><\/Change>/g;

export function route53Twin(): Twin {
  const store = new ZoneStore();
  const pending = new Map<string, number>();
  let beforeChange: (() => void) | null = null;
  const change = (zone: string, text: string): TwinAnswer => {
    const inner =
      /^<\?xml version="1\.0" encoding="UTF-8"\?><ChangeResourceRecordSetsRequest xmlns="[^"]+"><ChangeBatch><Changes>(.*)<\/Changes><\/ChangeBatch><\/ChangeResourceRecordSetsRequest>$/s.exec(
        text,
      )?.[1];
    const changes = [...(inner ?? violate('body')).matchAll(CHANGE)];
    if (changes.map(([whole]) => whole).join('') !== inner) violate(`changes ${inner}`);
    beforeChange?.();
    beforeChange = null;
    const after = new Map<string, readonly string[]>();
    for (const [, action, fqdn = '', , records = ''] of changes) {
      const values = [...records.matchAll(/<Value>([^<]+)<\/Value>/g)].map(([, value = '']) =>
        unquoted(value.replaceAll('&#34;', '"')),
      );
      const now = after.get(fqdn) ?? store.get(zone, fqdn);
      if (action === 'CREATE' && now.length > 0)
        refuse(
          400,
          'InvalidChangeBatch',
          `[Tried to create resource record set [name='${fqdn}.', type='TXT'] but it already exists]`,
        );
      if (action === 'DELETE' && (now.length !== values.length || !values.every((value) => now.includes(value))))
        refuse(
          400,
          'InvalidChangeBatch',
          '[Tried to delete resource record set but the values provided do not match the current values]',
        );
      after.set(fqdn, action === 'CREATE' ? values : []);
    }
    for (const [fqdn, values] of after) store.put(zone, fqdn, values);
    const id = `C${pending.size + 1}`;
    pending.set(id, 2);
    return xml(
      200,
      `<ChangeResourceRecordSetsResponse ${NS}><ChangeInfo><Id>/change/${id}</Id><Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`,
    );
  };
  const zones = (from: string): TwinAnswer => {
    const named = [...store.zones.keys()]
      .map((name, index) => ({ name, index }))
      .filter(({ name }) => `${name}.` >= from);
    const list = named.map(({ name, index }) => zoneXml(name, `Z${index}`, false));
    // A private zone of the same name, which must not be taken.
    return xml(
      200,
      `<ListHostedZonesByNameResponse ${NS}><HostedZones>${named.map(({ name }) => zoneXml(name, 'ZPRIVATE', true)).join('')}${list.join('')}</HostedZones><IsTruncated>false</IsTruncated><MaxItems>10</MaxItems></ListHostedZonesByNameResponse>`,
    );
  };
  return {
    type: 'route53',
    host: 'route53.amazonaws.com',
    settings: { access_key_id: ID, secret_access_key: SECRET },
    wrongSettings: { access_key_id: ID, secret_access_key: 'xJalrXUtnFEMI/K7MDENG+wrongwrongwrongwro' },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => store.add(fqdn, value),
    conflictOnce: (fqdn, value) => {
      beforeChange = () => store.add(fqdn, value);
    },
    handle: (request) => {
      if (request.host !== 'route53.amazonaws.com') violate(`host ${request.host}`);
      checkSignature(request);
      const path = request.path.replace('/2013-04-01/', '');
      if (path === 'hostedzonesbyname') return zones(request.query.get('dnsname') ?? violate('lists all zones'));
      const changeId = /^change\/(C\d+)$/.exec(path)?.[1];
      if (changeId !== undefined) {
        const left = pending.get(changeId) ?? refuse(404, 'NoSuchChange', 'no such change');
        pending.set(changeId, left - 1);
        return xml(
          200,
          `<GetChangeResponse ${NS}><ChangeInfo><Id>/change/${changeId}</Id><Status>${left > 1 ? 'PENDING' : 'INSYNC'}</Status></ChangeInfo></GetChangeResponse>`,
        );
      }
      const index = /^hostedzone\/Z(\d+)\/rrset$/.exec(path)?.[1] ?? violate('no such path');
      const zone = [...store.zones.keys()][Number(index)] ?? refuse(404, 'NoSuchHostedZone', 'No hosted zone found');
      if (request.method === 'POST') return change(zone, request.text);
      const name = (request.query.get('name') ?? violate('lists all records')).slice(0, -1);
      const values = store.get(zone, name);
      // What comes next in the zone is given where the name has nothing.
      const set = values.length > 0 ? setXml(name, values) : setXml(absolute('zzz', zone), ['next']);
      return xml(
        200,
        `<ListResourceRecordSetsResponse ${NS}><ResourceRecordSets>${set}</ResourceRecordSets><IsTruncated>true</IsTruncated><MaxItems>1</MaxItems></ListResourceRecordSetsResponse>`,
      );
    },
  };
}

function zoneXml(name: string, id: string, isPrivate: boolean): string {
  return `<HostedZone><Id>/hostedzone/${id}</Id><Name>${name}.</Name><CallerReference>x</CallerReference><Config><PrivateZone>${isPrivate}</PrivateZone></Config><ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>`;
}

function setXml(name: string, values: readonly string[]): string {
  const records = values.map((value) => `<ResourceRecord><Value>&quot;${value}&quot;</Value></ResourceRecord>`);
  return `<ResourceRecordSet><Name>${name}.</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords>${records.join('')}</ResourceRecords></ResourceRecordSet>`;
}
