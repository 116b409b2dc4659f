/**
 * The DNS providers that have a real server here: dynamic updates at BIND and Knot, PowerDNS's API; and the way from
 * a publisher to what a CA sees.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { DnsProvider, TxtPublisher } from '../../../src/certs/dns/dns-provider.ts';
import { openTxtPublisher } from '../../../src/certs/dns/open-publisher.ts';
import { systemTools } from '../../../src/certs/dns/tools.ts';
import { providerWith, rejection, setContract } from '../../support/dns-provider-contract.ts';
import {
  freeDnsPort,
  type NameServerProcess,
  type PowerDnsProcess,
  startBind,
  startKnot,
  startPowerDns,
  TSIG_SECRET,
  txtAt,
} from '../../support/name-servers.ts';
import { skipWithout } from '../../support/peers.ts';
import { memoryJournal } from '../../support/txt-journal.ts';

const signal = new AbortController().signal;
const tools = { ...systemTools, timeoutMs: 20_000 };

interface Updates {
  readonly server: NameServerProcess;
  readonly algorithm: string;
  readonly key_name?: string;
  readonly secret?: string;
}

function updater({ server, algorithm, key_name = 'postern', secret = TSIG_SECRET }: Updates): DnsProvider {
  return providerWith(
    'rfc2136',
    { server: `${server.address}:${server.port}`, key_name, algorithm, secret },
    { tools },
  );
}

let names = 0;
/** A name of its own for each test, since the server stays. */
const freshName = (zone: string): string => `_acme-challenge.n${++names}.${zone}`;

suite('rfc2136 at a real BIND', { skip: skipWithout('named') }, () => {
  let bind: NameServerProcess;
  before(async () => {
    bind = await startBind([{ name: 'example.test' }, { name: 'dev.example.test' }], {
      address: '127.0.0.1',
      port: await freeDnsPort('127.0.0.1'),
    });
  });
  after(() => bind?.close());

  setContract({ isWhole: true }, async () => ({
    provider: updater({ server: bind, algorithm: 'hmac-sha256' }),
    name: freshName('example.test'),
    valuesOf: (fqdn) => txtAt(bind, fqdn),
  }));

  test('the most specific zone is found, and updated at its top as well', async () => {
    const provider = updater({ server: bind, algorithm: 'hmac-sha256' });
    for (const name of ['_acme-challenge.x.dev.example.test', 'dev.example.test']) {
      await provider.setTxt(name, 'v', signal);
      assert.deepEqual(await txtAt(bind, name), ['v']);
    }
  });

  test('a wrong secret, an unknown key, an algorithm that is not the key’s are refused with the server’s word', async () => {
    const name = freshName('example.test');
    const other = Buffer.alloc(32, 7).toString('base64');
    for (const [change, word] of [
      [{ secret: other }, 'BADSIG'],
      [{ key_name: 'nobody' }, 'BADKEY'],
      [{ algorithm: 'hmac-sha512' }, 'BADKEY'],
    ] as const) {
      const error = await rejection(
        updater({ server: bind, algorithm: 'hmac-sha256', ...change }).setTxt(name, 'v', signal),
      );
      assert.equal(error.code, 'DNS_PROVIDER_REFUSED');
      assert.match(
        error.message,
        new RegExp(`it does not take our signature: ${word}; compare key_name, algorithm and secret`),
      );
      assert.ok(!error.message.includes(TSIG_SECRET) && !error.message.includes(other));
    }
  });

  test('a key without a grant is refused, with the grant that it needs', async () => {
    const error = await rejection(
      updater({ server: bind, algorithm: 'hmac-sha256', key_name: 'reader' }).setTxt(
        freshName('example.test'),
        'v',
        signal,
      ),
    );
    assert.equal(error.code, 'DNS_PROVIDER_REFUSED');
    assert.match(
      error.message,
      /it answered REFUSED; the key may update TXT records of the zone \(BIND: "update-policy/,
    );
  });

  test('a name of no zone is missing its zone', async () => {
    const error = await rejection(
      updater({ server: bind, algorithm: 'hmac-sha256' }).setTxt('_acme-challenge.elsewhere.invalid', 'v', signal),
    );
    assert.equal(error.code, 'DNS_ZONE_MISSING');
  });

  test('nobody at the address is told as such', async () => {
    const nobody = { ...bind, port: await freeDnsPort('127.0.0.1') };
    const error = await rejection(
      updater({ server: nobody, algorithm: 'hmac-sha256' }).setTxt(freshName('example.test'), 'v', signal),
    );
    assert.equal(error.code, 'DNS_PROVIDER_UNAVAILABLE');
    assert.match(error.message, /ECONNREFUSED.*check the address, and that it answers over TCP/);
  });
});

suite('rfc2136 at a real Knot', { skip: skipWithout('knotd') }, () => {
  let knot: NameServerProcess;
  before(async () => {
    knot = await startKnot(
      { primary: ['example.test'], secondary: [] },
      { address: '127.0.0.3', port: await freeDnsPort('127.0.0.3'), master: '127.0.0.1' },
    );
  });
  after(() => knot?.close());

  setContract({ isWhole: true }, async () => ({
    provider: updater({ server: knot, algorithm: 'hmac-sha512' }),
    name: freshName('example.test'),
    valuesOf: (fqdn) => txtAt(knot, fqdn),
  }));

  test('a wrong secret is refused', async () => {
    const error = await rejection(
      updater({ server: knot, algorithm: 'hmac-sha512', secret: Buffer.alloc(64, 7).toString('base64') }).setTxt(
        freshName('example.test'),
        'v',
        signal,
      ),
    );
    assert.equal(error.code, 'DNS_PROVIDER_REFUSED');
    assert.match(error.message, /BADSIG/);
  });
});

suite('powerdns at a real PowerDNS', { skip: skipWithout('pdns_server') }, () => {
  let server: PowerDnsProcess;
  before(async () => {
    server = await startPowerDns(['example.test', 'dev.example.test'], {
      address: '127.0.0.4',
      port: await freeDnsPort('127.0.0.4'),
    });
  });
  after(() => server?.close());
  const provider = (api_key = server.apiKey): DnsProvider =>
    providerWith('powerdns', { url: server.url, api_key, server: 'localhost' }, { tools });

  setContract({ isWhole: true }, async () => ({
    provider: provider(),
    name: freshName('example.test'),
    valuesOf: (fqdn) => txtAt(server, fqdn),
  }));

  test('the most specific zone is found, and changed at its top as well', async () => {
    for (const name of ['_acme-challenge.x.dev.example.test', 'dev.example.test']) {
      await provider().setTxt(name, 'v', signal);
      assert.deepEqual(await txtAt(server, name), ['v']);
    }
  });

  test('a wrong key is refused, and a name of no zone is missing its zone', async () => {
    const error = await rejection(provider('wrong-key-0001').setTxt(freshName('example.test'), 'v', signal));
    assert.equal(error.code, 'DNS_PROVIDER_REFUSED');
    assert.match(error.message, /answered 401.*the key is the "api-key" of the server/);
    assert.ok(!error.message.includes('wrong-key-0001'));
    assert.equal(
      (await rejection(provider().setTxt('_acme-challenge.elsewhere.invalid', 'v', signal))).code,
      'DNS_ZONE_MISSING',
    );
  });
});

suite('a publisher with BIND as primary and Knot as secondary', { skip: skipWithout('named', 'knotd') }, () => {
  let bind: NameServerProcess;
  let knot: NameServerProcess;
  before(async () => {
    const port = await freeDnsPort('127.0.0.1');
    const records =
      '@ NS ns2.example.test.\nns2 A 127.0.0.6\nns1 A 127.0.0.1\nns3 A 127.0.0.7\n_acme-challenge.away CNAME target.other.test.\nloop CNAME loop2\nloop2 CNAME loop\n';
    const other = '@ NS ns1.example.test.\n';
    bind = await startBind(
      [
        { name: 'example.test', records },
        { name: 'other.test', records: other },
      ],
      { address: '127.0.0.1', port, secondary: '127.0.0.6' },
    );
    knot = await startKnot(
      { primary: [], secondary: ['example.test'] },
      { address: '127.0.0.6', port, master: '127.0.0.1' },
    );
  });
  after(async () => {
    await knot?.close();
    await bind?.close();
  });

  const journal = memoryJournal();
  const publisher = (propagationTimeoutMs = 20_000): TxtPublisher => {
    const values = {
      server: `${bind.address}:${bind.port}`,
      key_name: 'postern',
      algorithm: 'hmac-sha256',
      secret: TSIG_SECRET,
    };
    const resolvers = [`${bind.address}:${bind.port}`];
    const settings = {
      name: 'mine',
      type: 'rfc2136',
      values,
      resolvers,
      propagationTimeoutMs,
      propagationDelayMs: null,
      at: [],
    };
    return openTxtPublisher(settings, { journal, tools, authorityPort: bind.port });
  };

  test('publish() returns when the secondary has the value too, withdraw() leaves nothing', async () => {
    const name = freshName('example.test');
    const mine = publisher();
    await Promise.all([mine.publish(name, 'first', signal), mine.publish(name, 'second', signal)]);
    assert.deepEqual([...(await txtAt(knot, name))].sort(), ['first', 'second']);
    await Promise.all([mine.withdraw(name, 'first', signal), mine.withdraw(name, 'second', signal)]);
    assert.deepEqual(await txtAt(bind, name), []);
    assert.deepEqual(await journal.list(), []);
  });

  test('publish() follows a CNAME into another zone', async () => {
    const mine = publisher();
    await mine.publish('_acme-challenge.away.example.test', 'v', signal);
    assert.deepEqual(await txtAt(bind, 'target.other.test'), ['v']);
    await mine.withdraw('_acme-challenge.away.example.test', 'v', signal);
    assert.deepEqual(await txtAt(bind, 'target.other.test'), []);
  });

  test('publish() ends at CNAMEs that go round', async () => {
    assert.equal((await rejection(publisher().publish('loop.example.test', 'v', signal))).code, 'DNS_LOOKUP_FAILED');
  });

  test('withdrawLeftovers() removes what a publisher that is gone had set', async () => {
    const name = freshName('example.test');
    await publisher().publish(name, 'left', signal);
    assert.deepEqual(await publisher().withdrawLeftovers(signal), []);
    assert.deepEqual(await txtAt(bind, name), []);
    assert.deepEqual(await journal.list(), []);
  });
});
