import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, constantFrom, ipV4, oneof, property, string } from 'fast-check';
import { normaliseIp } from '../core/ip-address.ts';
import { createFindClient, parseForwardedAddress } from './client-address.ts';
import { HeaderBlock } from './header-block.ts';
import type { ConnectionFacts } from './exchange.ts';

const TRUSTED = ['10.0.0.0/8', '2001:db8:1::/48'];
const find = createFindClient(TRUSTED);

function from(peerAddress: string | null, scheme: 'http' | 'https' = 'http'): ConnectionFacts {
  const rest = {
    peerPort: 1,
    viaProxyProtocol: false,
    localPort: 80,
    serverName: null,
    tlsVersion: null,
    clientCertificate: null,
    clientAuth: null,
  };
  return { peerAddress, scheme, ...rest };
}
const ipOf = (peer: string | null, ...lines: string[]): string | null =>
  find(from(peer), HeaderBlock.from({ 'X-Forwarded-For': lines })).ip;

test('an untrusted peer is the client, whatever it says', () => {
  const headers = HeaderBlock.from({
    'X-Forwarded-For': '1.2.3.4',
    'X-Real-IP': '1.2.3.4',
    'CF-Connecting-IP': '1.2.3.4',
    Forwarded: 'for=1.2.3.4',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'evil.example',
  });
  assert.deepEqual(find(from('192.0.2.9'), headers), {
    ip: '192.0.2.9',
    scheme: 'http',
    forwardedHost: null,
    isProxied: false,
  });
  assert.equal(ipOf('::ffff:192.0.2.9', '1.2.3.4'), '192.0.2.9');
});

test('behind a trusted proxy the client is the right-most address that is not trusted', () => {
  assert.equal(ipOf('10.0.0.1', '6.6.6.6, 192.0.2.1, 10.1.1.1'), '192.0.2.1');
  assert.equal(ipOf('10.0.0.1', '6.6.6.6', '192.0.2.1,10.1.1.1', '10.2.2.2'), '192.0.2.1');
  assert.equal(ipOf('::ffff:10.0.0.1', '::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(ipOf('2001:db8:1::5', '[2001:DB8:2::1]:443'), '2001:db8:2::1');
  assert.equal(ipOf('10.0.0.1', '192.0.2.1:5000'), '192.0.2.1');
  assert.equal(ipOf('10.0.0.1', '10.3.3.3, 10.2.2.2'), '10.3.3.3');
  assert.equal(ipOf('10.0.0.1', 'rubbish, 192.0.2.1'), '192.0.2.1');
});

test('a trusted proxy that names no valid address makes the client unknown', () => {
  assert.equal(ipOf('10.0.0.1'), null);
  for (const line of [
    '',
    'a',
    'unknown',
    '_hidden',
    'fe80::1%eth0',
    '192.0.2.1, ',
    '192.0.2.1,,10.0.0.2',
    '1.2.3',
    '01.2.3.4',
    '"192.0.2.1"',
    '192.0.2.1:x',
    '[192.0.2.1]',
    '[::1',
    '192.0.2.1 10.0.0.1',
  ]) {
    assert.equal(ipOf('10.0.0.1', line), null, line);
  }
  assert.equal(ipOf(null, '192.0.2.1'), null);
});

test('scheme and host are those that the nearest trusted proxy wrote', () => {
  const ask = (proto: string, host: string): unknown => {
    const { scheme, forwardedHost } = find(
      from('10.0.0.1'),
      HeaderBlock.from({ 'X-Forwarded-Proto': proto, 'X-Forwarded-Host': host }),
    );
    return [scheme, forwardedHost];
  };
  assert.deepEqual(ask('https', 'App.example:8443'), ['https', 'app.example:8443']);
  assert.deepEqual(ask('http, HTTPS', 'evil.example, app.example'), ['https', 'app.example']);
  assert.deepEqual(ask('javascript', 'a b'), ['http', null]);
  assert.deepEqual(ask('https\u0000', 'x/../y'), ['http', null]);
});

test('findClient() never throws, and what it answers is spelled in the one way', () => {
  const item = oneof(
    ipV4(),
    string({ maxLength: 20 }),
    constantFrom('10.0.0.9', '::1', '[::1]:1', ' ', ',', '::ffff:1.2.3.4'),
  );
  check(
    property(array(item, { maxLength: 6 }), (items) => {
      const ip = ipOf('10.0.0.1', items.join(','));
      assert.ok(ip === null || normaliseIp(ip) === ip);
      assert.ok(parseForwardedAddress(items.join('')) !== '');
    }),
  );
});
