/** Where a guard stands: the application behind it, the address in front, listener, proxies, public paths. */
import { parsePathPattern } from '../../../config/path-pattern.ts';
import { quote } from '../finding.ts';
import type { Findings } from '../finding.ts';
import type { GuardValues } from './guard-flags.ts';
import type { Give } from './load-guard.ts';

const DEFAULT_LISTEN = ':4180';
const DEFAULT_PREFIX = '/.postern';
/** Loopback, RFC 1918, RFC 6598, RFC 4193 and link-local. */
const PRIVATE: readonly string[] = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '::1',
  'fc00::/7',
  'fe80::/10',
];

export interface GuardPlaces {
  readonly prefix: string;
}

export function readPlaces(values: GuardValues, give: Give, findings: Findings): GuardPlaces {
  const text = (flag: string): string | null => values.get(flag)?.values[0] ?? null;
  const fault = (flag: string, message: string, remedy: string): void =>
    findings.add({ severity: 'error', option: flag, source: values.get(flag)?.source ?? 'not given', message, remedy });
  const prefix = (text('prefix') ?? DEFAULT_PREFIX).replace(/\/+$/, '');
  give('proxy_prefix', prefix, 'prefix');
  giveApp(text('to'), give, fault);
  const listen = text('listen') ?? DEFAULT_LISTEN;
  const hasTls = text('tls-cert') !== null || text('tls-key') !== null;
  give(hasTls ? 'https_address' : 'http_address', listen.replace(/^unix:(?=\/[^/])/, 'unix://'), 'listen');
  if (text('tls-cert') !== null) give('tls_cert_file', text('tls-cert') ?? '', 'tls-cert');
  if (text('tls-key') !== null) give('tls_key_file', text('tls-key') ?? '', 'tls-key');
  giveUrl({ url: text('url') ?? localUrl(listen, hasTls), prefix, give, fault });
  giveProxies(values, give);
  givePublic(values, give, fault);
  return { prefix };
}

type TellFault = (flag: string, message: string, remedy: string) => void;

function giveApp(to: string | null, give: Give, fault: TellFault): void {
  const wanted = 'write http://127.0.0.1:3000, https://HOST, unix:/PATH or a port alone';
  if (to === null) return fault('to', 'is not given', wanted);
  const url = appUrl(to);
  const isHttp = /^https?:\/\//i.test(url) && URL.canParse(url);
  if (!isHttp && !url.startsWith('unix:///')) return fault('to', `is ${quote(to)}, no application`, wanted);
  if (isHttp && !['', '/'].includes(new URL(url).pathname + new URL(url).search))
    return fault('to', `is ${quote(to)}, with a path`, 'leave it out: paths go to the application as they come');
  give('upstreams', [url], 'to');
  // The application sees the host that people typed, and may take as long as it likes to stream.
  give('upstream_timeout', 60_000);
}

/** "9001" and "localhost:9001" are plain enough. */
function appUrl(to: string): string {
  if (/^:?\d{1,5}$/.test(to)) return `http://127.0.0.1:${to.replace(':', '')}`;
  if (/^[\w.-]+:\d{1,5}$/.test(to)) return `http://${to}`;
  return to.replace(/^unix:(?=\/[^/])/, 'unix://');
}

/** On loopback alone: nobody else could come by another address. */
function localUrl(listen: string, hasTls: boolean): string | null {
  const [, host, port] = /^(127\.0\.0\.1|localhost|\[::1\]):(\d+)$/.exec(listen) ?? [];
  return host === undefined ? null : `${hasTls ? 'https' : 'http'}://localhost:${port}`;
}

function giveUrl(step: {
  readonly url: string | null;
  readonly prefix: string;
  readonly give: Give;
  readonly fault: TellFault;
}): void {
  const { url, prefix, give, fault } = step;
  if (url === null) return fault('url', 'is not given', 'write the address that people type: https://app.example.com');
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    return fault('url', `is ${quote(url)}, no address`, 'write https://app.example.com');
  const { origin, protocol, hostname, pathname, search } = new URL(url);
  if (pathname !== '/' || search !== '')
    return fault('url', `is ${quote(url)}, with a path`, 'give the application a host of its own');
  const isSecure = protocol === 'https:';
  const isLocal =
    hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]' || hostname.endsWith('.localhost');
  if (!isSecure && !isLocal)
    fault(
      'url',
      `is ${quote(url)}: passwords and sessions could be read on the way`,
      'write https://, and serve it so',
    );
  give('redirect_url', `${origin}${prefix}/callback`, 'url');
  give('cookie_secure', isSecure);
  // RFC 6265bis section 4.1.3.2: only this very host can set or get it.
  give('cookie_name', isSecure ? '__Host-postern' : 'postern');
}

function giveProxies(values: GuardValues, give: Give): void {
  const given = values.get('trust-proxy');
  if (given === undefined) return;
  give('reverse_proxy', true, 'trust-proxy');
  give(
    'trusted_proxy_ips',
    given.values.flatMap((one) => (one === 'private' ? PRIVATE : [one])),
    'trust-proxy',
  );
  give('real_client_ip_header', 'X-Forwarded-For', 'trust-proxy');
}

/** Patterns of the gateway as expressions: nothing in them is one. */
function givePublic(values: GuardValues, give: Give, fault: TellFault): void {
  const patterns = values.get('public')?.values ?? [];
  const expressions = patterns.flatMap((pattern) => {
    const read = parsePathPattern(pattern);
    if (!read.ok) {
      fault('public', `holds ${quote(pattern)}, which ${read.wrong}`, read.remedy ?? 'write /health or /assets/*');
      return [];
    }
    const base = pattern.replace(/\/\*$/, '');
    const literal = decodeURIComponent(base).replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
    return [pattern.endsWith('/*') ? `^${literal}(?:/.*)?$` : `^${literal}$`];
  });
  if (expressions.length > 0) give('skip_auth_regex', expressions, 'public');
}
