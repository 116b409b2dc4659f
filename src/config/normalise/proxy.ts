/** Reads how the app is reached: balance, health, Host, and how its certificate is verified. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { HealthCheck, ProxyAction, UpstreamTls } from '../document/actions.ts';
import type { Path } from '../document/path.ts';
import { parseDnsName } from '../host-name.ts';
import { pathFault } from '../path-pattern.ts';
import { fault, read, type Reading } from '../reading.ts';
import type { HealthInput, RouteInput, Scalar, UpstreamTlsInput } from '../schema/routes.ts';
import type { Context } from './context.ts';
import { countOf, readUnit } from './limits.ts';

export type ProxySettings = Omit<ProxyAction, 'kind' | 'servers' | 'at'>;

export const DEFAULT_PROXY: ProxySettings = {
  balance: 'round-robin',
  hostHeader: 'keep',
  tls: { verify: true, caFile: null, caPem: null, serverName: null, certificatePem: null, keyPem: null },
  health: null,
  maxFails: 3,
  failMs: 10_000,
  maxConnections: Number.POSITIVE_INFINITY,
};

/** What the nearer one says wins over what it inherits. */
export function readProxySettings(input: RouteInput, path: Path, base: ProxySettings, context: Context): ProxySettings {
  return {
    balance: input.balance ?? base.balance,
    hostHeader: readHostHeader(input.host_header, path, base, context),
    tls:
      input.upstream_tls === undefined
        ? base.tls
        : readUpstreamTls(input.upstream_tls, [...path, 'upstream_tls'], context),
    health: input.health === undefined ? base.health : readHealth(input.health, [...path, 'health'], context),
    maxFails: input.max_fails ?? base.maxFails,
    failMs: readFailTimeout(input, path, base, context),
    maxConnections: countOf(input.max_connections, base.maxConnections) as number,
  };
}

function readFailTimeout(input: RouteInput, path: Path, base: ProxySettings, context: Context): number {
  if (input.fail_timeout === undefined) return base.failMs;
  const at = [...path, 'fail_timeout'];
  return readUnit(input.fail_timeout, { unit: 'duration', least: 1, at }, context) ?? base.failMs;
}

function readHostHeader(
  text: string | undefined,
  path: Path,
  base: ProxySettings,
  context: Context,
): ProxySettings['hostHeader'] {
  if (text === undefined) return base.hostHeader;
  if (text === 'keep' || text === 'upstream') return text;
  const split = /^(.*?)(?::(\d{1,5}))?$/.exec(text);
  const name = parseDnsName(split?.[1] ?? '');
  const port = split?.[2];
  if (name.ok && (port === undefined || (Number(port) >= 1 && Number(port) <= 65_535))) {
    return { fixed: port === undefined ? name.value : `${name.value}:${port}` };
  }
  context.report([...path, 'host_header'], 'is not "keep", "upstream" or a host name');
  return base.hostHeader;
}

function readUpstreamTls(input: UpstreamTlsInput, path: Path, context: Context): UpstreamTls {
  if (input.verify === false) {
    context.warn([...path, 'verify'], 'is false: the app is not verified', 'give its CA with "ca" instead');
  }
  const name = input.server_name === undefined ? null : parseDnsName(input.server_name);
  if (name !== null && !name.ok) context.fault([...path, 'server_name'], name);
  return {
    verify: input.verify ?? true,
    caFile: input.ca === undefined ? null : context.resolvePath(input.ca),
    caPem: readCa(input.ca, [...path, 'ca'], context),
    serverName: name?.ok === true ? name.value : null,
    ...readClientPair(input, path, context),
  };
}

function readCa(file: string | undefined, at: Path, context: Context): string | null {
  const pem = file === undefined ? null : context.readNamedFile(file, at);
  if (pem === null) return null;
  if (isCertificate(pem)) return pem;
  context.report(at, 'names a file that holds no PEM certificate');
  return null;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== null;
  } catch {
    return false;
  }
}

function readClientPair(
  input: UpstreamTlsInput,
  path: Path,
  context: Context,
): Pick<UpstreamTls, 'certificatePem' | 'keyPem'> {
  const none = { certificatePem: null, keyPem: null };
  const { certificate, key } = input;
  if (certificate === undefined && key === undefined) return none;
  if (certificate === undefined || key === undefined) {
    const missing = certificate === undefined ? 'certificate' : 'key';
    if (!context.isBroken([...path, missing]))
      context.report(path, `has no "${missing}"`, 'give both "certificate" and "key"');
    return none;
  }
  const certificatePem = context.readNamedFile(certificate, [...path, 'certificate']);
  const keyPem = context.readNamedFile(key, [...path, 'key']);
  if (certificatePem === null || keyPem === null) return none;
  const wrong = pairFault(certificatePem, keyPem);
  if (wrong === null) return { certificatePem, keyPem };
  context.report([...path, 'key'], wrong);
  return none;
}

function pairFault(certificatePem: string, keyPem: string): string | null {
  if (!isCertificate(certificatePem)) return 'belongs to a certificate file that holds no PEM certificate';
  try {
    const matches = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
    return matches ? null : 'does not match its certificate';
  } catch {
    return 'names a file that holds no usable PEM private key';
  }
}

function readHealth(input: string | HealthInput | false, path: Path, context: Context): HealthCheck | null {
  if (input === 'off' || input === false) return null;
  const isText = typeof input === 'string';
  const given: HealthInput = isText ? { path: input } : input;
  const at = isText ? path : [...path, 'path'];
  if (given.path === undefined) {
    if (!context.isBroken(at)) context.report(path, 'has no "path"', 'add the path to ask for, such as "/healthz"');
    return null;
  }
  const wrong = pathFault(given.path.split('?')[0] ?? '');
  if (wrong !== null || /[\s#]/.test(given.path)) context.report(at, wrong ?? 'has a character that no path may have');
  const durationOf = (key: 'interval' | 'timeout', fallback: number): number => {
    const value = given[key];
    const place = { unit: 'duration', least: 100, at: [...path, key] } as const;
    const ms = value === undefined ? fallback : (readUnit(value, place, context) ?? fallback);
    if (Number.isFinite(ms)) return ms;
    context.report(place.at, 'has no end', 'write a duration such as "10s"; "health: off" asks nothing');
    return fallback;
  };
  const expect = parseStatusRange(given.expect ?? '200-399');
  if (!expect.ok) context.fault([...path, 'expect'], expect);
  return {
    path: given.path,
    intervalMs: durationOf('interval', 10_000),
    timeoutMs: durationOf('timeout', 5000),
    expect: expect.ok ? expect.value : [200, 399],
    passes: given.passes ?? 2,
    fails: given.fails ?? 3,
  };
}

function parseStatusRange(input: Scalar): Reading<readonly [number, number]> {
  const text = String(input);
  const hundred = /^([1-5])xx$/i.exec(text)?.[1];
  if (hundred !== undefined) return read([Number(hundred) * 100, Number(hundred) * 100 + 99]);
  const range = /^(\d{3})(?:-(\d{3}))?$/.exec(text);
  const from = Number(range?.[1] ?? 0);
  const to = Number(range?.[2] ?? from);
  if (from < 200 || to > 599 || to < from) return fault('is not a status', 'write 200, "2xx" or "200-399"');
  return read([from, to]);
}
