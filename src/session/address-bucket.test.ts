import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressBucket, addressNetwork } from './address-bucket.ts';

test('addressBucket() and addressNetwork() are of one address of IPv4, and of a /64 in a /48', () => {
  const cases: readonly (readonly [ip: string | null, bucket: string, network: string | null])[] = [
    ['192.0.2.10', '192.0.2.10', null],
    [null, 'unknown', null],
    ['2001:db8:1:2::3', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:db8:1:2:ffff::', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8:0:0::/64', '2001:db8:0::/48'],
    ['::1', '0:0:0:0::/64', '0:0:0::/48'],
  ];
  for (const [ip, bucket, network] of cases)
    assert.deepEqual([addressBucket(ip), addressNetwork(ip)], [bucket, network], String(ip));
});
