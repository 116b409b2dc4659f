import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Document } from '../config/document.ts';
import { findExposedUpstreams } from './upstream-exposure.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue\n';
const OPEN_9001 = `${HEAD}   0: 00000000:2329 00000000:0000 0A 00000000\n`;
const LOOPBACK_9001 = `${HEAD}   0: 0100007F:2329 00000000:0000 0A 00000000\n`;

function documentTo(host: string, port: number): Document {
  const server = { scheme: 'http', host, port, isTemplate: false, weight: 1, at: [] };
  return {
    hosts: [{ routes: [{ action: { kind: 'proxy', servers: [server] } }] }],
    fallback: null,
  } as unknown as Document;
}

test('findExposedUpstreams() names a local server that listens on all addresses', () => {
  assert.deepEqual(findExposedUpstreams(documentTo('127.0.0.1', 9001), [OPEN_9001]), [
    { server: 'http://127.0.0.1:9001', port: 9001 },
  ]);
});

test('findExposedUpstreams() is silent about loopback listeners and other machines', () => {
  assert.deepEqual(findExposedUpstreams(documentTo('127.0.0.1', 9001), [LOOPBACK_9001]), []);
  assert.deepEqual(findExposedUpstreams(documentTo('10.0.0.5', 9001), [OPEN_9001]), []);
});
