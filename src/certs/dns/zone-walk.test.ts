import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createZoneOf, labelsBelow, namesFrom, type Zone } from './zone-walk.ts';

const ACCOUNT = { provider: 'Test', permission: 'the token may' };
const signal = new AbortController().signal;

test('namesFrom() walks up to a name of two labels, or of one', () => {
  assert.deepEqual(namesFrom('_acme-challenge.a.example.com', 2), [
    '_acme-challenge.a.example.com',
    'a.example.com',
    'example.com',
  ]);
  assert.deepEqual(namesFrom('x.lan', 1), ['x.lan', 'lan']);
  assert.deepEqual(namesFrom('lan', 2), []);
});

test('createZoneOf() asks once for a zone that it found, and again for one that it did not', async () => {
  const asked: string[] = [];
  const zones = new Map<string, Zone>([['example.com', { name: 'example.com', id: '1' }]]);
  const zoneOf = createZoneOf(ACCOUNT, async (name) => {
    asked.push(name);
    return zones.get(name) ?? null;
  });
  assert.equal((await zoneOf('a.example.com', signal)).id, '1');
  assert.deepEqual(asked.splice(0), ['a.example.com', 'example.com']);
  zones.set('a.example.com', { name: 'a.example.com', id: '2' });
  assert.equal((await zoneOf('a.example.com', signal)).id, '2', 'a zone that was added is found');
  assert.deepEqual(asked, ['a.example.com']);
  await assert.rejects(zoneOf('b.example.net', signal), {
    code: 'DNS_ZONE_MISSING',
    message: /no zone for "b\.example\.net".*the token may/,
  });
});

test('labelsBelow() is empty for the zone itself', () => {
  assert.equal(labelsBelow('example.com', 'example.com'), '');
  assert.equal(labelsBelow('_acme-challenge.a.example.com', 'example.com'), '_acme-challenge.a');
});
