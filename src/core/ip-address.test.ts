import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createIpSet, normaliseIp, parseCidr } from './ip-address.ts';

test('normaliseIp() gives one spelling for one address', () => {
  assert.equal(normaliseIp('192.0.2.1'), '192.0.2.1');
  assert.equal(normaliseIp('::FFFF:192.0.2.1'), '192.0.2.1');
  assert.equal(normaliseIp('::ffff:c000:201'), '192.0.2.1');
  assert.equal(normaliseIp('0:0:0:0:0:ffff:c000:0201'), '192.0.2.1');
  assert.equal(normaliseIp('2001:DB8:0:0::1'), '2001:db8::1');
});

test('normaliseIp() refuses what is not exactly an address', () => {
  for (const text of ['', 'a', '1.2.3', '1.2.3.4:80', '[::1]', 'fe80::1%eth0', '01.2.3.4', ' 1.2.3.4', '1.2.3.4 ']) {
    assert.equal(normaliseIp(text), null, text);
  }
});

test('parseCidr() reads prefixes and refuses odd ones', () => {
  assert.deepEqual(parseCidr('10.0.0.0/8'), { address: '10.0.0.0', bits: 8, family: 'ipv4' });
  assert.deepEqual(parseCidr('::ffff:10.0.0.0/104'), { address: '10.0.0.0', bits: 8, family: 'ipv4' });
  for (const text of ['10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '::/129', '10.0.0.0/8x', '/8', '::ffff:1.2.3.4/8']) {
    assert.equal(parseCidr(text), null, text);
  }
});

test('createIpSet() contains its ranges and never an unknown address', () => {
  const set = createIpSet(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7']);
  assert.ok(set.contains('10.1.2.3'));
  assert.ok(set.contains('2001:db8::9'));
  assert.ok(set.contains('192.0.2.7'));
  assert.ok(!set.contains('192.0.2.8'));
  assert.ok(!set.contains(null));
  assert.ok(!set.contains('rubbish'));
  assert.throws(() => createIpSet(['x']), RangeError);
});
