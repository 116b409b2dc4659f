import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DnsMessage, TYPE } from './message.ts';
import { createResolver, parseServer, type Resolver } from './resolver.ts';

const signal = new AbortController().signal;

/** "NAME TYPE" -> what answers; "SOA ZONE" in front of it stands for a proof that there is nothing. */
type Data = Readonly<Record<string, readonly string[]>>;

function resolverOf(data: Data, asked: string[] = [], resolvers: readonly string[] = ['192.0.2.53']): Resolver {
  const names = Object.fromEntries(Object.entries(TYPE).map(([name, type]) => [type, name]));
  return createResolver({
    resolvers,
    ask: async ({ address }, { name, type, recursion }) => {
      asked.push(`${address} ${name} ${names[type]}`);
      assert.equal(recursion, true);
      if (address === '192.0.2.1') throw new Error('no answer within 3 s');
      const found = data[`${name} ${names[type]}`] ?? [];
      if (found[0] === 'SERVFAIL') return messageOf(2, [], []);
      const soa = found.filter((one) => one.startsWith('SOA ')).map((one) => recordOf(one.slice(4), TYPE.SOA, ''));
      const answers = found.filter((one) => !one.startsWith('SOA ')).map((one) => recordOf(name, type, one));
      return messageOf(0, answers, soa);
    },
  });
}

function recordOf(name: string, type: number, value: string): DnsMessage['answers'][number] {
  const isAddress = type === TYPE.A || type === TYPE.AAAA;
  return {
    name,
    type,
    class: 1,
    ttl: 60,
    start: 0,
    data: new Uint8Array(),
    target: isAddress ? null : value,
    text: null,
    address: isAddress ? value : null,
  };
}

function messageOf(rcode: number, answers: DnsMessage['answers'], authorities: DnsMessage['answers']): DnsMessage {
  return {
    id: 0,
    opcode: 0,
    rcode,
    isResponse: true,
    isAuthoritative: false,
    isTruncated: false,
    questions: [],
    answers,
    authorities,
    additionals: [],
  };
}

test('followCnames() goes to the end of the chain, over zones', async () => {
  const resolver = resolverOf({ 'a.example CNAME': ['b.other'], 'b.other CNAME': ['c.third'] });
  assert.equal(await resolver.followCnames('a.example', signal), 'c.third');
  assert.equal(await resolver.followCnames('plain.example', signal), 'plain.example');
});

test('followCnames() ends at a circle and at a chain without end', async () => {
  const circle = resolverOf({ 'a CNAME': ['b'], 'b CNAME': ['a'] });
  await assert.rejects(circle.followCnames('a', signal), {
    code: 'DNS_LOOKUP_FAILED',
    message: /go round in a circle; correct the CNAME records/,
  });
  const chain = resolverOf(
    Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`n${index} CNAME`, [`n${index + 1}`]])),
  );
  await assert.rejects(chain.followCnames('n0', signal), { message: /are too many/ });
});

test('findAuthority() finds the zone by the SOA that proves there is nothing, and all addresses of its servers', async () => {
  const data: Data = {
    '_acme-challenge.a.example.com SOA': ['SOA example.com'],
    'example.com NS': ['ns1.example.com', 'ns2.elsewhere'],
    'ns1.example.com A': ['192.0.2.11'],
    'ns1.example.com AAAA': ['2001:db8::11'],
    'ns2.elsewhere A': ['192.0.2.12'],
  };
  assert.deepEqual(await resolverOf(data).findAuthority('_acme-challenge.a.example.com', signal), {
    zone: 'example.com',
    servers: [
      {
        name: 'ns1.example.com',
        addresses: [
          { address: '192.0.2.11', port: 53 },
          { address: '2001:db8::11', port: 53 },
        ],
      },
      { name: 'ns2.elsewhere', addresses: [{ address: '192.0.2.12', port: 53 }] },
    ],
  });
});

test('findAuthority() walks up past resolvers that leave the SOA out, and believes none of another tree', async () => {
  const data: Data = {
    'x.example.com SOA': ['SOA evil.net'],
    'example.com SOA': ['ns1.example.com'],
    'example.com NS': ['ns1.example.com'],
  };
  const { zone, servers } = await resolverOf(data).findAuthority('x.example.com', signal);
  assert.equal(zone, 'example.com');
  assert.deepEqual(servers, [{ name: 'ns1.example.com', addresses: [] }]);
});

test('createResolver() goes on to the next resolver, and names each with its reason where all fail', async () => {
  const asked: string[] = [];
  const good = resolverOf({}, asked, ['192.0.2.1', '[2001:db8::53]:5353']);
  assert.equal(await good.followCnames('a.example', signal), 'a.example');
  assert.deepEqual(asked, ['192.0.2.1 a.example CNAME', '2001:db8::53 a.example CNAME']);
  const bad = resolverOf({ 'a.example CNAME': ['SERVFAIL'] }, [], ['192.0.2.1', '192.0.2.2']);
  await assert.rejects(bad.followCnames('a.example', signal), {
    code: 'DNS_LOOKUP_FAILED',
    message:
      'Cannot look up "a.example" at the resolvers: 192.0.2.1: no answer within 3 s, 192.0.2.2 answered SERVFAIL; check the network, or set "resolvers" of the DNS provider',
  });
});

test('parseServer() reads addresses with and without a port', () => {
  assert.deepEqual(parseServer('9.9.9.9'), { address: '9.9.9.9', port: 53 });
  assert.deepEqual(parseServer('127.0.0.1:5353'), { address: '127.0.0.1', port: 5353 });
  assert.deepEqual(parseServer('2620:fe::fe'), { address: '2620:fe::fe', port: 53 });
  assert.deepEqual(parseServer('[2620:fe::fe]:54'), { address: '2620:fe::fe', port: 54 });
});
