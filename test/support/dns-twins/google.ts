/** Google Cloud DNS v1 and the token endpoint for service accounts (RFC 7523). */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import * as z from 'zod';
import { bodyOf, Refusal, type Twin, type TwinAnswer, type TwinRequest, unquoted, violate, ZoneStore } from './twin.ts';

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const accountOf = (key: typeof pair.privateKey): string =>
  JSON.stringify({
    type: 'service_account',
    project_id: 'my-project',
    client_email: 'dns@my-project.iam.gserviceaccount.com',
    private_key: key.export({ format: 'pem', type: 'pkcs8' }),
  });
const SET = z.strictObject({
  name: z.string().endsWith('.'),
  type: z.literal('TXT'),
  ttl: z.number().int(),
  rrdatas: z.array(z.string()).min(1),
});
const CHANGE = z.strictObject({ additions: z.array(SET), deletions: z.array(SET) });
const TOKEN = 'ya29.token-Uu1';

function refuse(code: number, reason: string, message: string): never {
  throw new Refusal({
    status: code,
    json: { error: { code, message, errors: [{ domain: 'global', reason, message }] } },
  });
}

function token({ text, method, headers }: TwinRequest): TwinAnswer {
  if (method !== 'POST' || headers['content-type'] !== 'application/x-www-form-urlencoded') violate('token request');
  const form = new URLSearchParams(text);
  if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') violate('grant_type');
  const [head = '', body = '', signature = ''] = (form.get('assertion') ?? '').split('.');
  const isGenuine = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    createPublicKey(pair.publicKey.export({ format: 'pem', type: 'spki' })),
    Buffer.from(signature, 'base64url'),
  );
  if (!isGenuine)
    throw new Refusal({ status: 400, json: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } });
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
  if (
    claims['aud'] !== 'https://oauth2.googleapis.com/token' ||
    claims['scope'] !== 'https://www.googleapis.com/auth/ndev.clouddns.readwrite'
  )
    violate('claims');
  if (Number(claims['exp']) - Number(claims['iat']) !== 3600) violate('lifetime');
  return { status: 200, json: { access_token: TOKEN, expires_in: 3599, token_type: 'Bearer' } };
}

export function googleTwin(): Twin {
  const store = new ZoneStore();
  const pending = new Map<string, number>();
  let beforeChange: (() => void) | null = null;
  const info = (id: string): TwinAnswer => {
    const left = pending.get(id) ?? refuse(404, 'notFound', 'no such change');
    pending.set(id, left - 1);
    return { status: 200, json: { kind: 'dns#change', id, status: left > 0 ? 'pending' : 'done' } };
  };
  const change = (zone: string, request: TwinRequest): TwinAnswer => {
    const { additions, deletions } = bodyOf(request, CHANGE);
    beforeChange?.();
    beforeChange = null;
    for (const { name, rrdatas } of deletions) {
      const now = store.get(zone, name.slice(0, -1));
      const given = rrdatas.map(unquoted);
      if (now.length !== given.length || !given.every((value) => now.includes(value)))
        refuse(412, 'conditionNotMet', `Precondition not met for 'entity.change.deletions[0]'`);
    }
    const deleted = new Set(deletions.map(({ name }) => name));
    for (const { name } of additions) {
      if (!deleted.has(name) && store.get(zone, name.slice(0, -1)).length > 0)
        refuse(409, 'alreadyExists', `The resource 'entity.change.additions[0]' named '${name} (TXT)' already exists`);
    }
    for (const { name } of deletions) store.put(zone, name.slice(0, -1), []);
    for (const { name, rrdatas } of additions) store.put(zone, name.slice(0, -1), rrdatas.map(unquoted));
    const id = String(pending.size + 1);
    pending.set(id, 2);
    return info(id);
  };
  return {
    type: 'google',
    host: 'oauth2.googleapis.com',
    settings: { service_account: accountOf(pair.privateKey) },
    wrongSettings: { service_account: accountOf(other.privateKey) },
    hasZones: true,
    isWhole: true,
    valuesOf: (fqdn) => store.valuesOf(fqdn),
    seed: (fqdn, value) => store.add(fqdn, value),
    conflictOnce: (fqdn, value) => {
      beforeChange = () => store.add(fqdn, value);
    },
    handle: (request) => {
      if (request.host === 'oauth2.googleapis.com' && request.path === '/token') return token(request);
      if (request.host !== 'dns.googleapis.com') violate(`host ${request.host}`);
      if (request.headers['authorization'] !== `Bearer ${TOKEN}`) refuse(401, 'authError', 'Invalid Credentials');
      const [, zoneId, what, id] =
        /^\/dns\/v1\/projects\/my-project\/managedZones(?:\/z(\d+)\/(rrsets|changes)(?:\/(\d+))?)?$/.exec(
          request.path,
        ) ?? violate('no such path');
      if (zoneId === undefined) {
        const name = request.query.get('dnsName') ?? violate('lists all zones');
        const found = [...store.zones.keys()].map((zone, index) => ({
          name: `z${index}`,
          dnsName: `${zone}.`,
          visibility: 'public',
        }));
        const matching = found.filter(({ dnsName }) => dnsName === name);
        return {
          status: 200,
          json:
            matching.length === 0
              ? {}
              : { managedZones: [{ name: 'internal', dnsName: name, visibility: 'private' }, ...matching] },
        };
      }
      const zone = [...store.zones.keys()][Number(zoneId)] ?? refuse(404, 'notFound', 'no such zone');
      if (what === 'changes')
        return request.method === 'POST' ? change(zone, request) : info(id ?? violate('lists changes'));
      const name = request.query.get('name') ?? violate('lists all records');
      const values = store.get(zone, name.slice(0, -1));
      return {
        status: 200,
        json: {
          rrsets: values.length === 0 ? [] : [{ name, type: 'TXT', ttl: 60, rrdatas: values.map((one) => `"${one}"`) }],
        },
      };
    },
  };
}
