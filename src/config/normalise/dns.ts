/** Reads `dns:`: accounts at DNS providers, each by the keys of its type. No message repeats a credential. */
import { isIP } from 'node:net';
import { providerTypes } from '../../certs/dns/provider-types.ts';
import type { KeyFacts, SettingValue } from '../../certs/dns/provider-keys.ts';
import { COMMON_KEYS, type DnsProviderSettings } from '../../certs/dns/provider-type.ts';
import { parseDuration } from '../../core/durations.ts';
import { createIpSet } from '../../core/ip-address.ts';
import type { Path } from '../document/path.ts';
import { fault, type Fault, read, type Reading } from '../reading.ts';
import type { DnsProviderInput } from '../schema/dns.ts';
import type { Context } from './context.ts';
import { readUnit } from './limits.ts';

const NAME = /^[a-z][a-z0-9_-]{0,31}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const OWN_NETWORK = createIpSet([
  '127.0.0.0/8',
  '::1',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
  'fe80::/10',
]);

export function readDns(
  input: Readonly<Record<string, DnsProviderInput>> | undefined,
  context: Context,
): readonly DnsProviderSettings[] {
  const found: DnsProviderSettings[] = [];
  for (const [name, entry] of Object.entries(input ?? {})) {
    if (entry === undefined) continue;
    const at = ['dns', name];
    if (!NAME.test(name))
      context.fault(
        at,
        fault('is no name of a DNS provider', 'write a short name in lower case such as "cloudflare"'),
        { isAtKey: true },
      );
    const type = providerTypes().find((one) => one.type === entry['type']);
    if (type === undefined) continue;
    const values: Record<string, SettingValue> = {};
    for (const [key, facts] of Object.entries(type.keys)) values[key] = readKey({ entry, key, facts, at }, context);
    found.push({ name, type: type.type, values, ...readCommon(entry, at, context), at });
  }
  return found;
}

interface Place {
  readonly entry: DnsProviderInput;
  readonly key: string;
  readonly facts: KeyFacts<unknown>;
  readonly at: Path;
}

type Common = Pick<DnsProviderSettings, 'resolvers' | 'propagationTimeoutMs' | 'propagationDelayMs'>;

function readCommon(entry: DnsProviderInput, at: Path, context: Context): Common {
  const of = (key: keyof typeof COMMON_KEYS): SettingValue =>
    readKey({ entry, key, facts: COMMON_KEYS[key], at }, context);
  const resolvers = of('resolvers') as readonly string[] | undefined;
  for (const [index, text] of (resolvers ?? []).entries()) {
    if (!isResolver(text))
      report(
        [...at, 'resolvers', index],
        `"${text}" is not the address of a resolver`,
        'write an IP address such as "9.9.9.9" or "[2620:fe::fe]:53"',
        context,
      );
  }
  return {
    resolvers: resolvers ?? [],
    propagationTimeoutMs: of('propagation_timeout') as number,
    propagationDelayMs: (of('propagation_delay') as number | undefined) ?? null,
  };
}

function readKey({ entry, key, facts, at }: Place, context: Context): SettingValue {
  const path = [...at, key];
  const value = entry[key];
  if (value === undefined) {
    if (facts.isRequired && !context.isBroken(path)) {
      const example = typeof facts.example === 'string' ? `"${key}: ${facts.example}"` : `"${key}"`;
      report(
        at,
        `has no "${key}"`,
        `add ${example}: ${facts.description.replaceAll('`', '').replace(/\.$/, '')}`,
        context,
      );
    }
    return defaultOf(facts);
  }
  if (facts.kind === 'duration') return readDuration(value as string | number, facts, path, context);
  const reading = readValue(value, facts);
  if (reading.ok) return reading.value;
  report(path, reading.wrong, reading.remedy, context);
  return defaultOf(facts);
}

function defaultOf({ default: fallback, kind }: KeyFacts<unknown>): SettingValue {
  return fallback === undefined || kind !== 'duration' ? fallback : (parseDuration(fallback) ?? undefined);
}

function readDuration(value: string | number, facts: KeyFacts<unknown>, at: Path, context: Context): SettingValue {
  const ms = readUnit(value, { unit: 'duration', least: 1, at }, context);
  if (ms === null || Number.isFinite(ms)) return ms ?? defaultOf(facts);
  report(at, 'has no end', 'write a duration such as "10m"', context);
  return defaultOf(facts);
}

function readValue(value: unknown, facts: KeyFacts<unknown>): Reading<SettingValue> {
  if (facts.kind === 'list') return readList(value as readonly string[]);
  if (facts.kind === 'map') return readMap(value as Readonly<Record<string, string>>);
  return readText(value as string, facts);
}

function readText(text: string, facts: KeyFacts<unknown>): Reading<string> {
  if (text === '') return fault('is empty');
  const wrong = facts.check?.(text) ?? null;
  if (wrong !== null) return fault(wrong);
  // A header or a form is made of it. Where a line break may stand, the key's own check has looked.
  if (facts.check === undefined && /[\u0000-\u001F\u007F]/.test(text))
    return fault('holds a line break or another control character');
  return facts.kind === 'url' ? readUrl(text) : read(text);
}

function readUrl(text: string): Reading<string> {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    return fault('is not a URL', 'write a URL such as "https://dns.example.com"');
  if (url.username !== '' || url.password !== '')
    return fault('has a user name or password in it', 'write the address alone');
  if (url.protocol === 'http:' && !isOwnNetwork(url.hostname))
    return fault('is plain HTTP to another network, where the credentials can be read', 'write "https://…"');
  return read(text);
}

function isOwnNetwork(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  // A name without a dot is one of the own network, such as a container's.
  return (
    OWN_NETWORK.contains(bare) || !bare.includes('.') || /\.(?:internal|local|localhost|lan|home\.arpa|svc)$/.test(bare)
  );
}

function readList(values: readonly (string | undefined)[]): Reading<readonly string[]> {
  if (values.length === 0) return fault('is an empty list');
  return values.some((one) => one === '' || one?.includes('\0') === true)
    ? fault('has an empty entry')
    : read(values.filter((one) => one !== undefined));
}

function readMap(values: Readonly<Record<string, string>>): Reading<Readonly<Record<string, string>>> {
  const wrong = Object.keys(values).find((name) => !VARIABLE.test(name));
  return wrong === undefined
    ? read(values)
    : fault(`has "${wrong}", which is no name of a variable`, 'write letters, digits and "_"');
}

function isResolver(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  return isIP(host) === (text.startsWith('[') ? 6 : 4) && Number(port) > 0 && Number(port) < 65_536;
}

/** The line of a problem is never printed: a token may stand on it. */
function report(at: Path, wrong: string, remedy: Fault['remedy'], context: Context): void {
  context.fault(at, { wrong, remedy }, { isSecret: true });
}
