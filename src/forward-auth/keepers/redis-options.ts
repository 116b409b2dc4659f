/**
 * What ioredis is told: addresses, credentials, TLS. Addresses are URLs as oauth2-proxy takes them: `redis://`,
 * `rediss://` and `unix://`, with user, password and database. Commands never wait in a queue for a connection:
 * whoever asks while there is none is told so at once.
 */
import { getCACertificates } from 'node:tls';
import { readAtMost } from '../../core/read-at-most.ts';
import { PosternError } from '../../core/errors.ts';
import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';
import type { RedisSettings } from '../settings.ts';

const DEFAULT_PORT = 6_379;
const SENTINEL_PORT = 26_379;
const CONNECT_MS = 2_000;
/** A connection on which nothing is heard for so long is dead: the heartbeat is heard each second. */
const SILENT_MS = 5_000;
const MAX_RETRY_MS = 1_000;

/** Shapes of RESP3 are never asked for. */
type SingleOptions = Omit<RedisOptions, 'replyMapping'>;
type NodeOptions = Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'>;

export type RedisPlan =
  | { readonly kind: 'single'; readonly options: SingleOptions }
  | {
      readonly kind: 'cluster';
      readonly nodes: readonly { readonly host: string; readonly port: number }[];
      readonly options: Omit<ClusterOptions, 'redisOptions'> & { readonly redisOptions: NodeOptions };
    };

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  /** Of a unix socket; null: TCP. */
  readonly path: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
  readonly isTls: boolean;
}

/** Throws PosternError CONFIG_INVALID for what cannot be used; never with a password in it. */
export function planRedis(settings: RedisSettings): RedisPlan {
  if (settings.sentinel !== null) return planSentinel(settings, settings.sentinel);
  if (settings.clusterUrls !== null) return planCluster(settings, settings.clusterUrls);
  const address = parseRedisUrl(settings.url ?? `redis://127.0.0.1:${DEFAULT_PORT}`);
  return {
    kind: 'single',
    options: {
      ...common(settings, address),
      ...(address.path === null ? { host: address.host, port: address.port } : { path: address.path }),
      ...(address.isTls && { tls: tlsOptions(settings) }),
    },
  };
}

function planSentinel(settings: RedisSettings, sentinel: NonNullable<RedisSettings['sentinel']>): RedisPlan {
  const sentinels = sentinel.urls.map((url) => parseRedisUrl(url, SENTINEL_PORT));
  const [first] = sentinels;
  if (first === undefined) throw unusable('redis-sentinel-connection-urls names no sentinel');
  const tls = sentinels.some((one) => one.isTls) ? tlsOptions(settings) : null;
  // The address of a sentinel says nothing of how to sign in at the servers behind it.
  const data = settings.url === null ? { ...first, username: null, password: null } : parseRedisUrl(settings.url);
  const password = sentinel.password ?? first.password;
  return {
    kind: 'single',
    options: {
      ...common(settings, data),
      name: sentinel.masterName,
      sentinels: sentinels.map(({ host, port }) => ({ host, port })),
      ...(first.username !== null && { sentinelUsername: first.username }),
      ...(password !== null && { sentinelPassword: password }),
      ...(tls !== null && { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
      sentinelRetryStrategy: retryAfter,
      sentinelCommandTimeout: CONNECT_MS,
      failoverDetector: true,
    },
  };
}

function planCluster(settings: RedisSettings, urls: readonly string[]): RedisPlan {
  const nodes = urls.map((url) => parseRedisUrl(url));
  const [first] = nodes;
  if (first === undefined) throw unusable('redis-cluster-connection-urls names no node');
  const isTls = nodes.some((one) => one.isTls);
  const { retryStrategy: _, enableOfflineQueue: __, ...redisOptions } = common(settings, { ...first, database: 0 });
  return {
    kind: 'cluster',
    nodes: nodes.map(({ host, port }) => ({ host, port })),
    options: {
      redisOptions: { ...redisOptions, ...(isTls && { tls: tlsOptions(settings) }) },
      // Certificates are for names: a node is asked for by the name that it was given.
      ...(isTls && { dnsLookup: (address, answer) => answer(null, address) }),
      enableOfflineQueue: false,
      clusterRetryStrategy: retryAfter,
      clusterNodeRetryStrategy: retryAfter,
      slotsRefreshTimeout: CONNECT_MS,
    },
  };
}

function common(settings: RedisSettings, address: RedisAddress): SingleOptions {
  const username = settings.username ?? address.username;
  const password = settings.password ?? address.password;
  return {
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    db: address.database,
    // Nothing of RESP3 is used, and servers before 6 do not know it.
    protocol: 2,
    disableClientInfo: true,
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // We subscribe anew ourselves: where the connection breaks meanwhile, nobody would catch what ioredis throws.
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: retryAfter,
    // After a failover this may be the old master.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
}

function retryAfter(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), MAX_RETRY_MS) * (0.75 + Math.random() / 4);
}

function tlsOptions({ caFile, skipTlsVerify }: RedisSettings): ConnectionOptions {
  return {
    rejectUnauthorized: !skipTlsVerify,
    ...(caFile !== null && { ca: [...getCACertificates('default'), readCa(caFile)] }),
  };
}

function readCa(path: string): string {
  let text: string;
  try {
    text = readAtMost(path).toString('utf8');
  } catch (error) {
    throw unusable(`redis-ca-path "${path}" cannot be read: ${(error as Error).message}`, error);
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw unusable(`redis-ca-path "${path}" holds no certificate in PEM`);
}

/** Throws PosternError; its message never holds the URL, which may hold a password. */
export function parseRedisUrl(text: string, defaultPort: number = DEFAULT_PORT): RedisAddress {
  // "unix://:password@/run/redis.sock" has nobody between "@" and "/", which is no URL.
  const url = URL.parse(text.replace(/^(unix:\/\/[^/]*@)\//, '$1localhost/'));
  if (url === null) throw unusable('a Redis URL is not one: write "redis://HOST:6379/0"');
  const isUnix = url.protocol === 'unix:';
  if (!isUnix && url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw unusable(`a Redis URL begins with "${url.protocol}": known are redis:, rediss: and unix:`);
  const database = isUnix ? (url.searchParams.get('db') ?? '') : url.pathname.replace(/^\//, '');
  if (!/^\d{0,5}$/.test(database)) throw unusable(`a Redis URL names the database "${database}", which is no number`);
  return {
    host: url.hostname === '' ? '127.0.0.1' : url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? defaultPort : Number(url.port),
    path: isUnix ? decodeURIComponent(url.pathname) : null,
    username: url.username === '' ? null : decodeURIComponent(url.username),
    password: url.password === '' ? null : decodeURIComponent(url.password),
    database: Number(database),
    isTls: url.protocol === 'rediss:',
  };
}

function unusable(reason: string, cause?: unknown): PosternError {
  return new PosternError('CONFIG_INVALID', `Cannot use Redis: ${reason}`, {}, cause);
}
