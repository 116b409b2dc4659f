/** Reads the keys about people and machines: sign_in, session, services, maps. */
import { didYouMean } from '../../core/did-you-mean.ts';
import type { Document, Service, SessionSettings } from '../document.ts';
import type { Path } from '../document/path.ts';
import type { Provider } from '../document/providers.ts';
import { parseDnsName } from '../host-name.ts';
import { parsePasswordHash } from '../password-hash.ts';
import { fault, read, type Reading } from '../reading.ts';
import type { ServiceInput, SessionInput, SignInInput } from '../schema/people.ts';
import type { Scalar } from '../schema/routes.ts';
import { MAP_NAME, MAP_VALUE } from '../template.ts';
import { readBranding } from './branding.ts';
import { type Context, entriesOf } from './context.ts';
import { readUnit } from './limits.ts';
import { readRules } from './rules.ts';

/** HTTP basic ends the name at the first colon (RFC 7617), so that none may hold one. */
const SERVICE_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const DAY_MS = 86_400_000;

export function readSignIn(
  input: SignInInput | undefined,
  { insecureHttp, providers }: { readonly insecureHttp: boolean; readonly providers: readonly Provider[] },
  context: Context,
): Document['signIn'] {
  const branding = readBranding(input, context);
  const provider = readProviderId(input?.provider, ['sign_in', 'provider'], providers, context);
  const showRuleTo = readRules(input?.show_rule_to, ['sign_in', 'show_rule_to'], context) ?? [];
  const at = ['sign_in', 'url'];
  const rest = { branding, provider, showRuleTo, keepsFragment: input?.keep_fragment ?? false };
  if (input?.url === undefined) return { url: null, ...rest };
  const url = parseSignInUrl(input.url, insecureHttp);
  if (!url.ok) context.fault(at, url);
  return { url: url.ok ? url.value : null, ...rest };
}

/** The id of a provider of this document; null where none is named, or reported. */
export function readProviderId(
  id: string | undefined,
  at: Path,
  providers: readonly Provider[],
  context: Context,
): string | null {
  if (id === undefined) return null;
  const ids = providers.map((one) => one.id);
  if (ids.includes(id)) return id;
  // A provider that could not be read is complained of where it stands.
  if (context.notes.some((note) => note.path[0] === 'providers' && note.path[1] === id)) return null;
  const meant = didYouMean(id, ids);
  const known = ids.map((one) => `"${one}"`).join(', ');
  context.report(
    at,
    'is no provider of this document',
    meant === null ? `write one of ${known}` : `did you mean "${meant}"?`,
  );
  return null;
}

function parseSignInUrl(text: string, insecureHttp: boolean): Reading<string> {
  if (/^[\w.-]+$/.test(text)) return fault('is not a URL', `write "https://${text}"`);
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    return fault('is not a URL', 'write a URL such as "https://auth.example.com"');
  const name = parseDnsName(url.hostname);
  if (!name.ok) return fault('has a host that is no name', 'write a URL such as "https://auth.example.com"');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || text.includes('@')) {
    return fault('has more than scheme, host and port', `write "${url.origin}"`);
  }
  if (url.protocol === 'http:' && !insecureHttp) {
    return fault(
      'is plain HTTP, over which passwords can be read',
      `write "https://${url.host}", or set "session.insecure_http: true"`,
    );
  }
  return read(url.origin);
}

export function readSession(input: SessionInput, context: Context): SessionSettings {
  const durationOf = (key: 'lifetime' | 'idle' | 'stale_for', fallback: number, least: number): number => {
    const at = ['session', key];
    const value = input[key];
    const ms = value === undefined ? fallback : (readUnit(value, { unit: 'duration', least, at }, context) ?? fallback);
    if (Number.isFinite(ms)) return ms;
    context.report(at, 'has no end', 'write a duration such as "24d"');
    return fallback;
  };
  const lifetimeMs = durationOf('lifetime', DAY_MS / 2, 1000);
  const idleMs = durationOf('idle', Math.min(DAY_MS / 12, lifetimeMs), 1000);
  if (idleMs > lifetimeMs) context.warn(['session', 'idle'], 'is longer than "lifetime", so it never matters');
  return {
    lifetimeMs,
    idleMs,
    staleForMs: durationOf('stale_for', 60_000, 0),
    mostPerPerson: input.per_person ?? 1_000,
    insecureHttp: input.insecure_http ?? false,
    cookieDomain: readCookieDomain(input.cookie_domain, context),
  };
}

function readCookieDomain(text: string | undefined, context: Context): string | null {
  if (text === undefined) return null;
  const name = parseDnsName(text.replace(/^\./, ''));
  if (name.ok && text.startsWith('.') && /^[^.[]+\.[^.]/.test(name.value) && !/^[\d.]+$/.test(name.value))
    return `.${name.value}`;
  context.report(['session', 'cookie_domain'], 'is not a domain', 'write a domain such as ".example.com"');
  return null;
}

export function readServices(input: Readonly<Record<string, ServiceInput>>, context: Context): readonly Service[] {
  const found: Service[] = [];
  for (const [name, service] of Object.entries(input)) {
    if (service === undefined) continue;
    const at = ['services', name];
    if (!SERVICE_NAME.test(name)) {
      context.fault(at, fault('is no service name', 'write letters, digits, ".", "_", "@" and "-" alone'), {
        isAtKey: true,
      });
    }
    const path = [...at, 'password'];
    if (service.password === undefined && !context.isBroken(path)) {
      context.report(at, 'has no "password"', 'add "password" with what `postern hash-password` prints');
    }
    const passwordHashes: string[] = [];
    for (const [text, place] of entriesOf<string>(service.password, path)) {
      const hash = parsePasswordHash(text);
      if (hash.ok) passwordHashes.push(hash.value);
      else context.fault(place, hash, { isSecret: true });
    }
    if (Array.isArray(service.password) && service.password.length === 0) context.report(path, 'is an empty list');
    found.push({ name, passwordHashes, at });
  }
  return found;
}

export function readMaps(
  input: Readonly<Record<string, Readonly<Record<string, Scalar>>>>,
  context: Context,
): Document['maps'] {
  const found: Record<string, Record<string, string>> = {};
  for (const [name, values] of Object.entries(input)) {
    if (values === undefined) continue;
    if (!MAP_NAME.test(name)) {
      context.fault(['maps', name], fault('is no map name', 'write a short name in lower case such as "port"'), {
        isAtKey: true,
      });
    }
    const kept: Record<string, string> = {};
    for (const [principal, value] of Object.entries(values)) {
      if (value === undefined) continue;
      if (MAP_VALUE.test(String(value))) kept[principal] = String(value);
      else
        context.report(
          ['maps', name, principal],
          'is no value for a header field or an address',
          'write 1 to 64 of "a-z", "A-Z", "0-9", "_" and "-"',
        );
    }
    found[name] = kept;
  }
  return found;
}
