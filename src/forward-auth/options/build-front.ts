/** Paths, listeners, metrics, front proxies and redirects. */
import { parseListenAddress } from '../../config/listen-address.ts';
import { parseCidr } from '../../core/ip-address.ts';
import { buildMetricsTls, buildTls } from './build-tls.ts';
import type { Cidr } from '../../core/ip-address.ts';
import type { BuildContext } from './context.ts';
import type { MetricsSettings, PathSettings, RedirectSettings, ServerSettings, TrustSettings } from '../settings.ts';
import type { Told } from './told.ts';

export function buildPaths({ told }: BuildContext): PathSettings {
  return {
    prefix: pathOption(told, 'proxy_prefix').replace(/\/+$/, ''),
    ping: pathOption(told, 'ping_path'),
    pingUserAgent: told.text('ping_user_agent'),
    pingsOfGoogle: told.bool('gcp_healthchecks'),
    ready: pathOption(told, 'ready_path'),
  };
}

/** The original takes "oauth2" too, and then answers at no path. */
function pathOption(told: Told, key: string): string {
  const path = told.string(key);
  if (!/^\/[^\s?#%\\]*$/.test(path) || path.includes('//') || /\/\.\.?(\/|$)/.test(path)) {
    told.fault(key, `is ${told.quoted(key)}, not a plain path`, 'begin it with "/", such as "/oauth2"');
  } else if (key === 'proxy_prefix' && path.replace(/\/+$/, '') === '') {
    told.fault(key, 'is "/", which leaves no path to the application', 'write "/oauth2"');
  }
  return path;
}

export function buildServer(context: BuildContext): ServerSettings {
  const { told, structured } = context;
  const tls = buildTls(context, structured.tls);
  // With a certificate only TLS is listened on: what the original calls backwards compatible.
  const http = structured.tls !== null && !structured.isAlpha ? null : listenAddress(told, 'http_address');
  const https = structured.tls === null ? null : listenAddress(told, 'https_address');
  const forceHttps = told.bool('force_https');
  if (forceHttps && https === null) {
    const remedy = 'give tls_cert_file and tls_key_file, or leave HTTPS to the proxy in front and take it out';
    told.fault('force_https', 'needs a certificate', remedy);
  }
  if (http === null && https === null && structured.tls === null) {
    told.fault('http_address', 'leaves nothing to listen on', 'give an address, such as "127.0.0.1:4180"');
  }
  return { http, https, tls, forceHttps };
}

/** Null: none is wanted. */
export function listenAddress(told: Told, key: string): string | null {
  const text = told.string(key);
  if (text === '' || text === '-') return null;
  const lower = text.toLowerCase();
  if (/^fd:\d+$/.test(lower)) return lower;
  const unix = /^unix:(?:\/\/)?(\/[^,]+)(,mode=[0-7]{3,4})?$/.exec(text);
  if (unix !== null) return `unix:${unix[1]}${unix[2] ?? ''}`;
  const address = text.replace(/^http:\/\//i, '').replace(/\/$/, '');
  const parsed = parseListenAddress(address);
  if (parsed.ok) return address;
  told.fault(key, `is ${told.quoted(key)}, which ${parsed.wrong}`, parsed.remedy);
  return null;
}

export function buildMetrics(context: BuildContext): MetricsSettings {
  const { told, structured } = context;
  const https = listenAddress(told, 'metrics_secure_address');
  const tls = structured.metricsTls;
  if (https !== null && (tls?.certificate ?? null) === null) {
    told.fault('metrics_secure_address', 'needs a certificate', 'give metrics_tls_cert_file and metrics_tls_key_file');
  }
  return {
    http: listenAddress(told, 'metrics_address'),
    https,
    certificateFile: tls?.certificate?.fromFile ?? null,
    keyFile: tls?.key?.fromFile ?? null,
    tls: buildMetricsTls(context, tls),
  };
}

const REAL_IP_HEADERS = [
  'x-forwarded-for',
  'x-real-ip',
  'x-proxyuser-ip',
  'x-envoy-external-address',
  'cf-connecting-ip',
];

export function buildTrust({ told }: BuildContext): TrustSettings {
  const reverseProxy = told.bool('reverse_proxy');
  const realIpHeader = told.string('real_client_ip_header').toLowerCase();
  if (!REAL_IP_HEADERS.includes(realIpHeader)) {
    const remedy = 'write X-Real-IP, X-Forwarded-For, X-ProxyUser-IP, X-Envoy-External-Address or CF-Connecting-IP';
    told.fault('real_client_ip_header', `is ${told.quoted('real_client_ip_header')}, which is not read`, remedy);
  }
  const proxies = told.list('trusted_proxy_ips');
  if (reverseProxy && proxies.length === 0) {
    const message = 'is on without trusted_proxy_ips: proxies at loopback and private addresses are trusted';
    told.warn('reverse_proxy', message, 'name the addresses of your proxies; oauth2-proxy would trust everybody');
  }
  if (!reverseProxy && proxies.length > 0)
    told.warn('trusted_proxy_ips', 'has no effect without reverse_proxy', 'set reverse_proxy, or take it out');
  return {
    reverseProxy,
    proxies: proxies.length === 0 ? null : networks(told, 'trusted_proxy_ips'),
    realIpHeader,
    trustedIps: networks(told, 'trusted_ips'),
    requestIdHeader: requestIdHeader(told),
  };
}

function requestIdHeader(told: Told): string {
  const name = told.string('request_id_header');
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
    told.fault(
      'request_id_header',
      `is ${told.quoted('request_id_header')}, no name of a header`,
      'write X-Request-Id',
    );
  return name;
}

function networks(told: Told, key: string): readonly string[] {
  return told.list(key).filter((text) => {
    const cidr = parseCidr(text);
    if (cidr !== null && !hasHostBits(cidr)) return true;
    const wrong = cidr === null ? 'no address or network' : `which is an address within a network of ${cidr.bits} bits`;
    told.fault(key, `holds ${told.quoted(key, text)}, ${wrong}`, 'write 10.0.0.1 or 10.0.0.0/8');
    return false;
  });
}

/** 10.0.0.1/8: whoever wrote that meant the address or the network, and nobody knows which. */
function hasHostBits({ address, bits, family }: Cidr): boolean {
  const binary =
    family === 'ipv4'
      ? address.split('.').map((part) => Number(part).toString(2).padStart(8, '0'))
      : ipv6Groups(address).map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0'));
  return binary.join('').slice(bits).includes('1');
}

/** RFC 4291 section 2.2: "::" stands for the groups that are missing. */
function ipv6Groups(address: string): readonly string[] {
  const [left = '', right] = address.split('::');
  const groups = (text: string | undefined): readonly string[] =>
    text === undefined || text === '' ? [] : text.split(':');
  const [head, tail] = [groups(left), groups(right)];
  const missing = right === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
}

export function buildRedirects({ told }: BuildContext): RedirectSettings {
  return {
    callbackUrl: callbackUrl(told),
    isRelative: told.bool('relative_redirect_url'),
    whitelist: told.list('whitelist_domains').filter((entry) => isWhitelistEntry(told, entry)),
    encodeState: told.bool('encode_state'),
  };
}

function callbackUrl(told: Told): string | null {
  const text = told.text('redirect_url');
  if (text === null) {
    if (!told.bool('cookie_secure') && !told.bool('reverse_proxy'))
      told.warn('redirect_url', 'is not given, and cookie_secure is off: people come back over plain HTTP', null);
    return null;
  }
  const isPath = /^\/(?!\/)/.test(text);
  if (isPath || (/^https?:\/\//i.test(text) && URL.canParse(text))) return text;
  told.fault(
    'redirect_url',
    `is ${told.quoted('redirect_url')}, no URL`,
    'write https://app.example.com/oauth2/callback',
  );
  return null;
}

/** A scheme or path in an entry makes it match nothing in the original: people land on "/" and wonder. */
function isWhitelistEntry(told: Told, entry: string): boolean {
  if (/^(?:\*?\.)?(?:[^\s/:*?#@\\]+|\[[0-9a-fA-F:.]+\])(?::(?:\d{1,5}|\*))?$/.test(entry)) return true;
  const remedy = 'write a host, .host or *.host, each with :PORT or :* where its URLs have a port';
  told.fault('whitelist_domains', `holds ${told.quoted('whitelist_domains', entry)}, which matches nothing`, remedy);
  return false;
}
