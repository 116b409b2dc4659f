/**
 * Parses the text of a rule into a principal: `public`, `signed-in`, `[provider:]user:alice`,
 * `service:promtail`, `ip:10.0.0.0/8`, `{ all: [...] }`, `{ when: "CEL" }`. Refuses what could mean
 * two things (a short form where several providers could be meant) and what this version cannot check.
 * A rule that cannot be read becomes `unreadable`: it admits nobody as an allow and everybody is
 * refused by it as a deny, should a document with it ever be used.
 */
import { assertNever } from '../core/assert-never.ts';
import { problem, warning, type Diagnostic } from '../core/diagnostic.ts';
import { didYouMean } from '../core/did-you-mean.ts';
import { parseCidr } from '../core/ip-address.ts';
import { TOKEN_NAME } from '../core/token-store.ts';
import type { Place, RuleText } from './rule-text.ts';
import { parseCertificateMatch, type CertificateMatch } from './certificate-match.ts';
import { parseEmailAddress, parseEmailDomain } from './email-address.ts';
import { canonicalGithubName, isKindOf, kindsOf, PERSON_KINDS, vouchesFor } from './provider-kinds.ts';
import type { PersonKind, ProviderRef } from './provider-kinds.ts';

export type { PersonKind, ProviderRef } from './provider-kinds.ts';

export type Principal =
  | { readonly kind: 'public' }
  | { readonly kind: 'signed-in'; readonly provider: string | null }
  | { readonly kind: PersonKind; readonly provider: string; readonly value: string }
  | { readonly kind: 'service' | 'token'; readonly value: string }
  /** Null: any link. */
  | { readonly kind: 'link'; readonly value: string | null }
  | { readonly kind: 'ip'; readonly cidrs: readonly string[] }
  | { readonly kind: 'client-certificate'; readonly match: CertificateMatch }
  | { readonly kind: 'all'; readonly parts: readonly Principal[] }
  | { readonly kind: 'when'; readonly expression: string }
  | { readonly kind: 'unreadable'; readonly text: string };

export interface PrincipalContext {
  readonly providers: readonly ProviderRef[];
  /** Names that `service:` may use; null: any. */
  readonly services: readonly string[] | null;
}

export interface ParsedPrincipal {
  readonly principal: Principal;
  readonly diagnostics: readonly Diagnostic[];
}

/** Kinds of principal that take a value, with an example for remedies. */
const EXAMPLES: Readonly<Record<string, string>> = {
  user: 'user:alice',
  email: 'email:alice@example.com',
  'email-domain': 'email-domain:example.com',
  group: 'group:admins',
  role: 'role:admin',
  org: 'org:acme',
  team: 'team:acme/platform',
  service: 'service:promtail',
  token: 'token:ci',
  link: 'link:report',
  ip: 'ip:192.0.2.0/24',
  'client-certificate': 'client-certificate:cn=alice',
};
const BARE = ['public', 'signed-in'];
/** Words that are kept for what this version cannot check. */
const LATER = ['country'];
const KNOWN: readonly string[] = [...BARE, ...Object.keys(EXAMPLES)];
const MOST_PARTS = 64;
const MOST_NESTING = 8;
const CONTROL = /[\x00-\x1f\x7f]/;
/** As the document may name one under `services`. */
const SERVICE_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** Reads one rule. Problems are collected; the principal fails closed where there are any. */
export function parsePrincipal(text: RuleText, at: Place, context: PrincipalContext): ParsedPrincipal {
  const diagnostics: Diagnostic[] = [];
  const principal = new PrincipalParser(context, diagnostics).parse(text, at, 0);
  return { principal, diagnostics };
}

/** The one spelling of a principal, with its provider. Identical rules have identical spellings. */
export function principalText(principal: Principal): string {
  switch (principal.kind) {
    case 'public':
      return 'public';
    case 'signed-in':
      return principal.provider === null ? 'signed-in' : `${principal.provider}:signed-in`;
    case 'user':
    case 'email':
    case 'email-domain':
    case 'group':
    case 'role':
    case 'org':
    case 'team':
      return `${principal.provider}:${principal.kind}:${principal.value}`;
    case 'service':
    case 'token':
      return `${principal.kind}:${principal.value}`;
    case 'link':
      return principal.value === null ? 'link' : `link:${principal.value}`;
    case 'ip':
      return `ip:${principal.cidrs.join(',')}`;
    case 'client-certificate':
      return `client-certificate:${principal.match.by === 'any' ? '*' : `${principal.match.by}=${principal.match.value}`}`;
    case 'all':
      return `all: [${principal.parts.map(principalText).join(', ')}]`;
    case 'when':
      return `when: ${principal.expression}`;
    case 'unreadable':
      return principal.text;
    default:
      return assertNever(principal);
  }
}

class PrincipalParser {
  readonly #context: PrincipalContext;
  readonly #diagnostics: Diagnostic[];

  constructor(context: PrincipalContext, diagnostics: Diagnostic[]) {
    this.#context = context;
    this.#diagnostics = diagnostics;
  }

  parse(text: RuleText, at: Place, nesting: number): Principal {
    if (typeof text === 'string') return this.#text(text, at);
    if ('when' in text) return { kind: 'when', expression: text.when };
    return this.#all(text.all, [...at, 'all'], nesting);
  }

  #all(parts: readonly RuleText[], at: Place, nesting: number): Principal {
    if (parts.length === 0) {
      return this.#refuse(
        'all: []',
        at,
        'Rule "all: []" is empty and would match everyone',
        'Name at least one principal, or write "public"',
      );
    }
    if (parts.length > MOST_PARTS || nesting >= MOST_NESTING) {
      const limit = `at most ${MOST_PARTS} parts and ${MOST_NESTING} levels are allowed`;
      return this.#refuse('all: [...]', at, `Rule "all" is too large: ${limit}`, 'Split it into several rules');
    }
    const parsed = parts.map((part, index) => this.parse(part, [...at, index], nesting + 1));
    return { kind: 'all', parts: parsed };
  }

  #text(text: string, at: Place): Principal {
    if (text === 'public') return { kind: 'public' };
    if (text === 'signed-in') return this.#signedIn(text, at);
    if (text === 'link') return { kind: 'link', value: null };
    const colon = text.indexOf(':');
    const head = colon === -1 ? text : text.slice(0, colon);
    const rest = colon === -1 ? null : text.slice(colon + 1);
    if (rest === null) return this.#unknownWord(text, at);
    if (BARE.includes(head))
      return this.#refuse(text, at, `Rule "${text}" has a value, but "${head}" takes none`, `Write "${head}"`);
    if (Object.hasOwn(EXAMPLES, head)) return this.#valued(text, head, rest, at);
    if (LATER.includes(head)) return this.#later(text, head, at);
    return this.#qualified(text, head, rest, at);
  }

  #signedIn(text: string, at: Place): Principal {
    if (this.#context.providers.length === 0) return this.#nobodySignsIn(text, at);
    return { kind: 'signed-in', provider: null };
  }

  #nobodySignsIn(text: string, at: Place): Principal {
    const message = `Rule "${text}" is about people, but the document has no provider that signs people in`;
    return this.#refuse(text, at, message, 'Add "providers: { local: { type: local } }"');
  }

  #valued(text: string, kind: string, value: string, at: Place): Principal {
    if (!PERSON_KINDS.has(kind)) return this.#machine(text, kind, value, at);
    const { providers } = this.#context;
    if (providers.length === 0) return this.#nobodySignsIn(text, at);
    const possible = providers.filter((provider) => isKindOf(kind, provider));
    const only = possible[0];
    if (only === undefined) return this.#noProviderKnows(text, kind, at);
    if (possible.length > 1) {
      const forms = possible.map((provider) => `"${provider.id}:${text}"`).join(' or ');
      return this.#refuse(
        text,
        at,
        `Rule "${text}" does not say which provider is meant; ${possible.length} could be`,
        `Write ${forms}`,
      );
    }
    return this.#person(text, { provider: only.id, kind: kind as PersonKind, value }, at);
  }

  #noProviderKnows(text: string, kind: string, at: Place): Principal {
    const known = this.#context.providers.map(({ id, type }) => `"${id}" (${type})`).join(', ');
    const message = `Rule "${text}" uses "${kind}:", which no provider of the document knows: ${known}`;
    return this.#refuse(text, at, message, 'Use "user:", "email:" or "group:", or add the provider that knows it');
  }

  #qualified(text: string, head: string, rest: string, at: Place): Principal {
    const provider = this.#context.providers.find(({ id }) => id === head);
    const colon = rest.indexOf(':');
    const kind = colon === -1 ? rest : rest.slice(0, colon);
    if (provider === undefined) return this.#unknownHead(text, head, kind, at);
    if (rest === 'signed-in') return { kind: 'signed-in', provider: head };
    if (LATER.includes(kind)) return this.#later(text, kind, at);
    if (isKindOf(kind, provider) && colon !== -1) {
      return this.#person(text, { provider: head, kind, value: rest.slice(colon + 1) }, at);
    }
    if (Object.hasOwn(EXAMPLES, kind) && !PERSON_KINDS.has(kind)) {
      return this.#refuse(text, at, `Rule "${text}" names a provider, but "${kind}:" takes none`, `Write "${rest}"`);
    }
    const kinds = kindsOf(provider);
    if (PERSON_KINDS.has(kind) && !isKindOf(kind, provider)) {
      const list = kinds.map((one) => `"${head}:${one}:"`).join(', ');
      const message = `Rule "${text}" uses "${kind}:", which the provider "${head}" (${provider.type}) does not know`;
      return this.#refuse(text, at, message, `It knows ${list}`);
    }
    const meant = didYouMean(kind, [...kinds, 'signed-in']);
    const remedy =
      meant === null
        ? `Write "${head}:user:alice", "${head}:${EXAMPLES[kinds.at(-1) ?? 'group'] ?? ''}" or "${head}:signed-in"`
        : `Did you mean "${head}:${meant}"?`;
    return this.#refuse(text, at, `Rule "${text}" has the unknown kind "${kind}" after the provider "${head}"`, remedy);
  }

  #unknownHead(text: string, head: string, kind: string, at: Place): Principal {
    const ids = this.#context.providers.map((provider) => provider.id);
    const isPrincipalAfter = PERSON_KINDS.has(kind) || kind === 'signed-in' || LATER.includes(kind);
    if (isPrincipalAfter) {
      const meant = didYouMean(head, ids);
      const remedy =
        meant === null
          ? `Providers of this document: ${ids.map((id) => `"${id}"`).join(', ') || 'none'}`
          : `Did you mean "${meant}"?`;
      return this.#refuse(
        text,
        at,
        `Rule "${text}" names the provider "${head}", which the document does not have`,
        remedy,
      );
    }
    const meant = didYouMean(head, [...KNOWN, ...LATER]);
    const remedy =
      meant === null
        ? `Known kinds: ${KNOWN.join(', ')}`
        : `Did you mean "${BARE.includes(meant) ? meant : `${meant}:`}"?`;
    return this.#refuse(text, at, `Rule "${text}" has the unknown kind "${head}"`, remedy);
  }

  #unknownWord(text: string, at: Place): Principal {
    if (Object.hasOwn(EXAMPLES, text) || LATER.includes(text)) {
      return this.#refuse(
        text,
        at,
        `Rule "${text}" has no value`,
        `Write for example "${EXAMPLES[text] ?? `${text}:name`}"`,
      );
    }
    const meant = didYouMean(text, KNOWN);
    const remedy = meant === null ? `Known kinds: ${KNOWN.join(', ')}` : `Did you mean "${EXAMPLES[meant] ?? meant}"?`;
    return this.#refuse(text, at, `Rule "${text}" is not a principal`, remedy);
  }

  #later(text: string, kind: string, at: Place): Principal {
    const message = `Rule "${text}" uses "${kind}:", which this version cannot check: it is kept for a later one`;
    return this.#refuse(text, at, message, 'Use "user:", "email:" or "group:" until then');
  }

  #person(text: string, found: { provider: string; kind: PersonKind; value: string }, at: Place): Principal {
    const { kind, value } = found;
    const bad = this.#badValue(text, kind, value, at);
    if (bad !== null) return bad;
    if (kind === 'email') {
      const address = parseEmailAddress(value);
      if (address === null)
        return this.#refuse(
          text,
          at,
          `Rule "${text}" has no plain e-mail address`,
          `Write for example "${EXAMPLES['email']}"`,
        );
      this.#checkDomain(text, found.provider, address.domain, at);
      return { ...found, kind, value: address.text };
    }
    if (kind === 'email-domain') {
      const domain = parseEmailDomain(value);
      const remedy = `Write for example "${EXAMPLES['email-domain']}"; a subdomain needs a rule of its own`;
      if (domain === null) return this.#refuse(text, at, `Rule "${text}" has no plain domain name`, remedy);
      this.#checkDomain(text, found.provider, domain, at);
      return { ...found, kind, value: domain };
    }
    return this.#typeOf(found.provider) === 'github' ? this.#github(text, found, at) : { ...found, kind };
  }

  /** A rule that can never match is a mistake: it is said rather than borne. */
  #checkDomain(text: string, id: string, domain: string, at: Place): void {
    const provider = this.#context.providers.find((one) => one.id === id);
    if (provider === undefined || vouchesFor(provider, domain)) return;
    const message = `Rule "${text}" can never match: the provider "${id}" is not listed for addresses of "${domain}"`;
    this.#diagnostics.push(problem(at, message, `Add "email_domains: [${domain}]" to "providers.${id}"`));
  }

  #typeOf(id: string): string | undefined {
    return this.#context.providers.find((one) => one.id === id)?.type;
  }

  #github(text: string, found: { provider: string; kind: PersonKind; value: string }, at: Place): Principal {
    const value = canonicalGithubName(found.kind, found.value);
    if (value !== null) return { ...found, value };
    const remedy = `Write for example "${found.provider}:${EXAMPLES[found.kind] ?? ''}"`;
    return this.#refuse(text, at, `Rule "${text}" has no name that GitHub can have`, remedy);
  }

  #machine(text: string, kind: string, value: string, at: Place): Principal {
    const bad = this.#badValue(text, kind, value, at);
    if (bad !== null) return bad;
    if (kind === 'ip') return this.#addresses(text, value, at);
    if (kind === 'client-certificate') {
      const match = parseCertificateMatch(value);
      if (match !== null) return { kind: 'client-certificate', match };
      const remedy = 'Write a SHA-256 fingerprint of 64 hex digits, "cn=NAME", "email=ADDRESS", "dns=NAME" or "*"';
      return this.#refuse(text, at, `Rule "${text}" does not say which certificate`, remedy);
    }
    return kind === 'service' ? this.#service(text, value, at) : this.#token(text, kind as 'token' | 'link', value, at);
  }

  /** Tokens come and go while the document stays: that there is one of this name is not asked. */
  // oxlint-disable-next-line max-params -- as its neighbours, and which of the two
  #token(text: string, kind: 'token' | 'link', value: string, at: Place): Principal {
    if (TOKEN_NAME.test(value)) return { kind, value };
    const remedy = `Write for example "${EXAMPLES[kind]}": letters in lower case, digits, ".", "_" and "-"`;
    return this.#refuse(text, at, `Rule "${text}" has no valid ${kind} name`, remedy);
  }

  #service(text: string, value: string, at: Place): Principal {
    const { services } = this.#context;
    if (!SERVICE_NAME.test(value)) {
      return this.#refuse(
        text,
        at,
        `Rule "${text}" has no valid service name`,
        `Write for example "${EXAMPLES['service']}"`,
      );
    }
    if (services !== null && !services.includes(value)) {
      const meant = didYouMean(value, services);
      const remedy =
        meant === null ? `Add "services: { ${value}: { password: ... } }"` : `Did you mean "service:${meant}"?`;
      return this.#refuse(text, at, `Rule "${text}" names a service that the document does not have`, remedy);
    }
    return { kind: 'service', value };
  }

  #addresses(text: string, value: string, at: Place): Principal {
    const cidrs: string[] = [];
    for (const item of value.split(',')) {
      const cidr = parseCidr(item.trim());
      if (cidr === null) {
        const message = `Rule "${text}" has "${item.trim()}", which is not an IP address or CIDR range`;
        return this.#refuse(text, at, message, `Write for example "${EXAMPLES['ip']}" or "ip:2001:db8::/32"`);
      }
      cidrs.push(`${cidr.address}/${cidr.bits}`);
      if (cidr.bits === 0) {
        const remedy = 'Write "public" where everyone is meant';
        this.#diagnostics.push(
          warning(at, `Rule "${text}" matches every ${cidr.family === 'ipv4' ? 'IPv4' : 'IPv6'} address`, remedy),
        );
      }
    }
    return { kind: 'ip', cidrs };
  }

  #badValue(text: string, kind: string, value: string, at: Place): Principal | null {
    const remedy = `Write for example "${EXAMPLES[kind]}"`;
    if (value === '') return this.#refuse(text, at, `Rule "${text}" has no value`, remedy);
    if (value.length > 1024)
      return this.#refuse(
        text.slice(0, 64),
        at,
        `Rule "${text.slice(0, 64)}..." is longer than 1024 characters`,
        remedy,
      );
    if (value !== value.trim() || CONTROL.test(value)) {
      return this.#refuse(
        text,
        at,
        `Rule ${JSON.stringify(text)} has blanks around its value or control characters in it`,
        remedy,
      );
    }
    return null;
  }

  #refuse(text: string, at: Place, message: string, remedy: string): Principal {
    this.#diagnostics.push(problem(at, message, remedy));
    return { kind: 'unreadable', text };
  }
}
