import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redisSettings } from './_keeper-rig.ts';
import { parseRedisUrl, planRedis } from './redis-options.ts';

const NONE = redisSettings({});

test('parseRedisUrl() reads what oauth2-proxy takes', () => {
  const plain = { path: null, username: null, password: null, database: 0, isTls: false };
  assert.deepEqual(parseRedisUrl('redis://redis'), { ...plain, host: 'redis', port: 6_379 });
  assert.deepEqual(parseRedisUrl('rediss://user:p%40ss@[::1]:6380/3'), {
    host: '::1',
    port: 6_380,
    path: null,
    username: 'user',
    password: 'p@ss',
    database: 3,
    isTls: true,
  });
  const socket = parseRedisUrl('unix://:secret@/run/redis.sock?db=2');
  assert.deepEqual([socket.path, socket.password, socket.database], ['/run/redis.sock', 'secret', 2]);
  assert.equal(parseRedisUrl('redis://sentinel', 26_379).port, 26_379);
});

test('parseRedisUrl() refuses what is none, and never says the password', () => {
  for (const url of ['', 'redis', 'http://:hunter2@redis', 'redis://:hunter2@redis/x', 'redis://:hunter2@redis:x']) {
    assert.throws(
      () => parseRedisUrl(url),
      (error: Error) => /Cannot use Redis/.test(error.message) && !error.message.includes('hunter2'),
    );
  }
});

test('planRedis() takes user and password of the settings before those of the URL', () => {
  const plan = planRedis({ ...NONE, url: 'redis://a:b@redis:1/2', username: 'c', password: 'd' });
  assert.equal(plan.kind, 'single');
  const { host, port, username, password, db, tls } = plan.options as Record<string, unknown>;
  assert.deepEqual([host, port, username, password, db, tls], ['redis', 1, 'c', 'd', 2, undefined]);
});

test('planRedis() never lets a command wait for a connection, nor the client send one that nobody waits for', () => {
  const { options } = planRedis({ ...NONE, url: 'redis://redis' });
  const never = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false, autoResubscribe: false };
  assert.partialDeepStrictEqual(options, { ...never, maxRetriesPerRequest: 0 });
});

test('planRedis() refuses a CA that cannot be read or is none', () => {
  const url = 'rediss://redis';
  assert.throws(
    () => planRedis({ ...NONE, url, caFile: '/nowhere.pem' }),
    /redis-ca-path "\/nowhere.pem" cannot be read/,
  );
  assert.throws(() => planRedis({ ...NONE, url, caFile: '/etc/hostname' }), /holds no certificate/);
});

test('planRedis() asks sentinels for the master, with a password for each', () => {
  const sentinel = { masterName: 'main', urls: ['redis://a:1', 'redis://b'], password: 's' };
  const { options } = planRedis({ ...NONE, password: 'd', sentinel });
  const { name, sentinels, sentinelPassword, password, host } = options as Record<string, unknown>;
  assert.deepEqual([name, sentinelPassword, password, host], ['main', 's', 'd', undefined]);
  assert.deepEqual(sentinels, [
    { host: 'a', port: 1 },
    { host: 'b', port: 26_379 },
  ]);
});
