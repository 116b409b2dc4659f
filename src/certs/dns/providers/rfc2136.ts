/**
 * Dynamic updates (RFC 2136) signed with TSIG (RFC 8945): BIND, Knot, PowerDNS, Technitium and others. One update
 * adds or deletes one record of a set, so that nothing has to be read before, and the answer's signature is checked.
 */
import { randomInt } from 'node:crypto';
import { dnsError } from '../dns-error.ts';
import { RCODE, rcodeName, TYPE, writeQuestion, writeTxtUpdate } from '../message.ts';
import { optionalText, secret, text, word } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { createSignedExchange, serverOf } from '../signed-exchange.ts';
import { TSIG_ALGORITHMS } from '../tsig.ts';
import { missingZone } from '../zone-walk.ts';

const TTL = 60;
const PERMISSION = 'the key may update TXT records of the zone (BIND: "update-policy { grant KEY zonesub TXT; };")';

function checkServer(value: string): string | null {
  return serverOf(value) === null
    ? 'is not the IP address of a server, such as "192.0.2.53" or "[2001:db8::53]:53"'
    : null;
}

function checkSecret(value: string): string | null {
  return /^[A-Za-z0-9+/]{16,}={0,2}$/.test(value) ? null : 'is not base64, as tsig-keygen prints it';
}

/** As names stand in messages. */
function withoutDot(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

export const rfc2136: AnyProviderType = defineProviderType({
  type: 'rfc2136',
  title: 'Name server with dynamic updates (RFC 2136)',
  documentation: 'https://www.rfc-editor.org/rfc/rfc2136',
  keys: {
    server: text('Address of the primary server.', { example: '192.0.2.53', check: checkServer }),
    key_name: text('Name of the TSIG key.', { example: 'postern' }),
    algorithm: word('Algorithm of the TSIG key.', TSIG_ALGORITHMS, 'hmac-sha256'),
    secret: secret('Secret of the TSIG key, in base64.', { example: '${TSIG_SECRET}', check: checkSecret }),
    zone: optionalText('The zone. Without it the server is asked.', { example: 'example.com' }),
  },
  permission: PERMISSION,
  triedAgainst: 'BIND 9.18 and Knot 3.2',
  create: ({ server: where, key_name: keyName, algorithm, secret: base64, zone: only }, tools, name) => {
    const provider = `the name server ${where}`;
    const account = { provider, permission: PERMISSION };
    const server = serverOf(where) ?? { address: where, port: 53 };
    const key = { name: withoutDot(keyName), algorithm, secret: Buffer.from(base64, 'base64') };
    const exchange = createSignedExchange({ server, key, provider }, tools);
    const zoneOf = async (fqdn: string, signal: AbortSignal): Promise<string> => {
      if (only !== undefined) return withoutDot(only);
      const question = writeQuestion({ id: randomInt(65_536), name: fqdn, type: TYPE.SOA, recursion: false });
      const { answers, authorities, isAuthoritative } = await exchange('find the zone', question, signal);
      const soa = [...answers, ...authorities].find(({ type }) => type === TYPE.SOA);
      if (soa === undefined || !isAuthoritative) throw missingZone(fqdn, account);
      return soa.name;
    };
    type Action = 'add' | 'remove';
    const update = async (action: Action, fqdn: string, value: string, signal: AbortSignal): Promise<void> => {
      const step = action === 'add' ? 'set the record' : 'remove the record';
      const zone = await zoneOf(fqdn, signal);
      const message = writeTxtUpdate({ id: randomInt(65_536), zone, name: fqdn, value, action, ttl: TTL });
      const { rcode } = await exchange(step, message, signal);
      if (rcode === RCODE.NOERROR) return;
      if (rcode === RCODE.NOTZONE || rcode === RCODE.NOTAUTH) throw missingZone(fqdn, account);
      const what = `it answered ${rcodeName(rcode)}`;
      if (rcode !== RCODE.REFUSED) throw dnsError({ code: 'DNS_PROVIDER_UNAVAILABLE', step, provider, what });
      throw dnsError({ code: 'DNS_PROVIDER_REFUSED', step, provider, what, remedy: PERMISSION });
    };
    return {
      name,
      setTxt: (fqdn, value, signal) => update('add', fqdn, value, signal),
      removeTxt: (fqdn, value, signal) => update('remove', fqdn, value, signal),
    };
  },
});
