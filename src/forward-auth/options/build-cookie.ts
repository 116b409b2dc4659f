/** Cookies, their secret, and where sessions are kept. */
import { openFileSecret } from './build-secret.ts';
import { formatGoDuration } from './go-values.ts';
import { fixedSecret } from './secret.ts';
import type { BuildContext } from './context.ts';
import type { CookieSettings, RedisSettings, Secret, StoreSettings } from '../settings.ts';
import type { Told } from './told.ts';

const MAKE_ONE = "make one: openssl rand -base64 32 | tr -- '+/' '-_'";
const SAME_SITE: ReadonlySet<string> = new Set(['', 'lax', 'strict', 'none']);
/** RFC 6265 section 4.1.1: a token. */
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/;

export function buildCookie(context: BuildContext): CookieSettings {
  const { told } = context;
  const name = told.string('cookie_name');
  const secure = told.bool('cookie_secure');
  if (!COOKIE_NAME.test(name))
    told.fault(
      'cookie_name',
      `is ${told.quoted('cookie_name')}, no name of a cookie`,
      'write letters, digits, "_" and "-"',
    );
  checkPrefix(told, name);
  const [expireMs, refreshMs] = [duration(told, 'cookie_expire'), duration(told, 'cookie_refresh')];
  if (expireMs !== 0 && refreshMs >= expireMs) {
    const message = `is ${formatGoDuration(refreshMs)}, not less than cookie_expire (${formatGoDuration(expireMs)})`;
    told.fault('cookie_refresh', message, 'make it shorter, or 0 to ask the provider never again');
  }
  const sameSite = sameSiteOf(told, 'cookie_samesite');
  const csrfSameSite = told.text('cookie_csrf_samesite') === null ? sameSite : sameSiteOf(told, 'cookie_csrf_samesite');
  if (sameSite === 'none' && !secure)
    told.fault('cookie_samesite', 'is "none", which browsers refuse without cookie_secure', 'set cookie_secure');
  return {
    name,
    secret: cookieSecret(context),
    // The longest that matches counts.
    domains: cookieDomains(told).toSorted((a, b) => b.length - a.length),
    path: told.string('cookie_path'),
    expireMs,
    refreshMs,
    secure,
    httpOnly: told.bool('cookie_httponly'),
    sameSite,
    csrfPerRequest: told.bool('cookie_csrf_per_request'),
    csrfPerRequestLimit: Math.max(0, told.number('cookie_csrf_per_request_limit')),
    csrfExpireMs: duration(told, 'cookie_csrf_expire'),
    csrfSameSite,
  };
}

/** RFC 6265bis section 4.1.3: a browser drops a cookie that does not keep what its name promises. */
function checkPrefix(told: Told, name: string): void {
  if (/^__(?:secure|host)-/i.test(name) && !told.bool('cookie_secure'))
    told.fault(
      'cookie_name',
      `is ${told.quoted('cookie_name')}, which browsers refuse without cookie_secure`,
      'set it',
    );
  if (!/^__host-/i.test(name)) return;
  if (told.list('cookie_domains').length > 0 || told.string('cookie_path') !== '/')
    told.fault('cookie_name', 'begins with "__Host-", which allows no cookie_domains and no other path than "/"', null);
}

function duration(told: Told, key: string): number {
  const ms = told.number(key);
  if (ms >= 0) return ms;
  told.fault(key, `is ${formatGoDuration(ms)}, less than nothing`, 'write a duration such as 168h, or 0');
  return 0;
}

function sameSiteOf(told: Told, key: string): CookieSettings['sameSite'] {
  const text = told.string(key);
  if (SAME_SITE.has(text)) return text as CookieSettings['sameSite'];
  told.fault(key, `is ${told.quoted(key)}`, 'write lax, strict, none or nothing');
  return 'strict';
}

function cookieDomains(told: Told): readonly string[] {
  return told.list('cookie_domains').filter((domain) => {
    if (/^\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(domain)) return true;
    const message = `holds ${told.quoted('cookie_domains', domain)}, no domain`;
    told.fault('cookie_domains', message, 'write a name alone, such as ".example.com"');
    return false;
  });
}

const NO_SECRET: Secret = fixedSecret('');

function cookieSecret(context: BuildContext): Secret {
  const { told } = context;
  if (told.text('cookie_secret') !== null) {
    const text = told.string('cookie_secret');
    checkSecret(told, 'cookie_secret', text);
    return fixedSecret(urlSafe(text));
  }
  const file = told.text('cookie_secret_file');
  if (file === null) {
    told.fault('cookie_secret', 'is not given', `${MAKE_ONE}; or name a file with cookie_secret_file`);
    return NO_SECRET;
  }
  const said = { option: 'cookie_secret_file', source: told.sourceOf('cookie_secret_file') };
  const secret = openFileSecret(context, file, said);
  if (secret === null) return NO_SECRET;
  checkSecret(told, 'cookie_secret_file', secret.read().toString());
  return soundSecret(secret);
}

/** A file that is replaced by one that is no secret changes nothing: the last good one counts. */
export function soundSecret(secret: Secret): Secret {
  let seen: Buffer | null = null;
  let sound = NO_SECRET.read();
  return {
    read() {
      const bytes = secret.read();
      if (bytes === seen) return sound;
      seen = bytes;
      const text = urlSafe(bytes.toString());
      if (isGoodSize(secretBytes(text))) sound = Buffer.from(text);
      return sound;
    },
  };
}

/** As the original measures it: URL-safe base64 of 16, 24 or 32 bytes, else the bytes as they stand. */
function checkSecret(told: Told, key: string, text: string): void {
  if (isGoodSize(secretBytes(text))) return;
  if (isGoodSize(secretBytes(urlSafe(text)))) {
    const message = 'is standard base64, which is taken here and refused by oauth2-proxy';
    told.warn(key, message, 'write "-" for "+" and "_" for "/" where both read it');
    return;
  }
  const size = secretBytes(text).length;
  told.fault(key, `is ${size} ${size === 1 ? 'byte' : 'bytes'}, not 16, 24 or 32`, MAKE_ONE);
}

function isGoodSize(bytes: Buffer): boolean {
  return [16, 24, 32].includes(bytes.length);
}

function secretBytes(text: string): Buffer {
  const bare = text.replace(/=+$/, '');
  const decoded = /^[A-Za-z0-9_-]*$/.test(bare) && bare.length % 4 !== 1 ? Buffer.from(bare, 'base64url') : null;
  return decoded !== null && isGoodSize(decoded) ? decoded : Buffer.from(text);
}

/** Only where the text would be no secret otherwise. */
function urlSafe(text: string): string {
  if (isGoodSize(secretBytes(text)) || !/^[A-Za-z0-9+/]+=*$/.test(text)) return text;
  return text.replaceAll('+', '-').replaceAll('/', '_');
}

export function buildStore(context: BuildContext): StoreSettings {
  const { told } = context;
  const type = told.string('session_store_type');
  checkMinimal(context);
  if (type === 'redis') return { kind: 'redis', redis: redisOf(told) };
  if (type !== 'cookie')
    told.fault('session_store_type', `is ${told.quoted('session_store_type')}`, 'write cookie or redis');
  if (context.sessionMode === 'stateless') return { kind: 'stateless', isMinimal: told.bool('session_cookie_minimal') };
  return { kind: 'server' };
}

/** Tokens that are not kept can be neither passed on nor refreshed. */
function checkMinimal({ told, structured }: BuildContext): void {
  if (!told.bool('session_cookie_minimal')) return;
  for (const header of [...structured.requestHeaders, ...structured.responseHeaders]) {
    for (const { kind, source } of header.values) {
      if (kind !== 'claim' || !['access_token', 'id_token'].includes(source.claim)) continue;
      const message = `leaves out the ${source.claim} that the header "${header.name}" needs`;
      told.fault('session_cookie_minimal', message, `take it out, or ${header.option}`);
    }
  }
  if (told.number('cookie_refresh') !== 0)
    told.fault('session_cookie_minimal', 'leaves out the tokens that cookie_refresh needs', 'take one of them out');
}

function redisOf(told: Told): RedisSettings {
  const [useSentinel, useCluster] = [told.bool('redis_use_sentinel'), told.bool('redis_use_cluster')];
  if (useSentinel && useCluster)
    told.fault('redis_use_sentinel', 'and redis_use_cluster are both given', 'keep one of them');
  if (!useSentinel && !useCluster && told.text('redis_connection_url') === null)
    told.fault('redis_connection_url', 'is not given', 'write redis://HOST:6379, or rediss:// for TLS');
  if (useSentinel && told.text('redis_sentinel_master_name') === null)
    told.fault('redis_sentinel_master_name', 'is not given', 'write the name that the sentinels know the server by');
  const caFile = told.text('redis_ca_path');
  return {
    url: useSentinel || useCluster ? null : redisUrl(told, 'redis_connection_url', told.text('redis_connection_url')),
    username: told.text('redis_username'),
    password: told.text('redis_password'),
    sentinel: useSentinel
      ? {
          masterName: told.string('redis_sentinel_master_name'),
          urls: redisUrls(told, 'redis_sentinel_connection_urls'),
          password: told.text('redis_sentinel_password'),
        }
      : null,
    clusterUrls: useCluster ? redisUrls(told, 'redis_cluster_connection_urls') : null,
    caFile,
    skipTlsVerify: told.bool('redis_insecure_skip_tls_verify'),
  };
}

function redisUrls(told: Told, key: string): readonly string[] {
  const urls = told.list(key);
  if (urls.length === 0) told.fault(key, 'is not given', 'write redis://HOST:PORT for each');
  return urls.flatMap((url) => redisUrl(told, key, url) ?? []);
}

function redisUrl(told: Told, key: string, url: string | null): string | null {
  if (url === null) return null;
  if (/^(?:rediss?|unix):\/\//.test(url) && URL.canParse(url)) return url;
  told.fault(key, 'is no address of Redis', 'write redis://HOST:6379, or rediss:// for TLS');
  return null;
}
