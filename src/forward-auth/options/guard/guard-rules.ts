/**
 * `--allow` in the gateway's language, as far as one provider and one set of rules carry it. Any one rule is
 * enough, as there: where settings could only say "both", the rules are refused.
 */
import { parseCidr } from '../../../core/ip-address.ts';
import { quote } from '../finding.ts';
import type { Findings } from '../finding.ts';
import type { ProviderKind } from '../../settings.ts';
import type { GuardValue } from './guard-flags.ts';

export interface GuardRules {
  readonly isSignedIn: boolean;
  readonly emails: readonly string[];
  readonly emailDomains: readonly string[];
  /** `group:`, and `role:` and organisations in the form that sessions have them. */
  readonly groups: readonly string[];
  /** Logins, with GitHub. */
  readonly users: readonly string[];
  readonly networks: readonly string[];
}

interface Found {
  isSignedIn: boolean;
  readonly emails: string[];
  readonly emailDomains: string[];
  readonly groups: string[];
  readonly users: string[];
  readonly networks: string[];
}

interface Rule {
  readonly kind: string;
  readonly value: string;
  readonly provider: ProviderKind;
  readonly found: Found;
}

/** Null where it is taken; else what is wrong, and what to write. */
type Fault = readonly [message: string, remedy: string] | null;

const WANTED =
  'write signed-in, email:ann@example.com, @example.com, group:/developers, role:admin, ip:10.0.0.0/8 or, with GitHub, org:acme, team:acme/ops, user:ann';
const GATEWAY = 'that needs "postern run" and a document';

export function readRules(given: GuardValue | undefined, provider: ProviderKind, findings: Findings): GuardRules {
  const found: Found = { isSignedIn: false, emails: [], emailDomains: [], groups: [], users: [], networks: [] };
  const add = (message: string, remedy: string): void =>
    findings.add({ severity: 'error', option: 'allow', source: given?.source ?? 'not given', message, remedy });
  if (given === undefined) {
    add('is not given, so nobody could enter', 'write --allow signed-in for everybody who can sign in, or name them');
    return found;
  }
  for (const text of given.values) {
    const fault = addRule(splitRule(text, provider), { provider, found });
    if (fault !== null) add(`holds ${quote(text)}, ${fault[0]}`, fault[1]);
  }
  const [byEmail, byGroup] = [
    found.emails.length + found.emailDomains.length,
    found.groups.length + found.users.length,
  ];
  if (byEmail > 0 && byGroup > 0) {
    const message = 'holds rules by e-mail address and by group: a guard would ask for both of each person';
    add(message, `keep one kind; for either of both ${GATEWAY}`);
  }
  const isPlain = found.groups.length === 0 || (found.groups.length === 1 && !found.groups[0]?.includes(':'));
  if (found.users.length > 0 && !isPlain) {
    const message = 'holds people by name beside teams or several organisations: a guard would ask for both';
    add(message, `name one organisation beside people; for more ${GATEWAY}`);
  }
  return found;
}

/** "@example.com", "email:a@b", and all of them behind the provider's name. */
function splitRule(text: string, provider: ProviderKind): { readonly kind: string; readonly value: string } {
  if (text.startsWith('@')) return { kind: 'email-domain', value: text.slice(1) };
  const colon = text.indexOf(':');
  const [kind, value] = colon === -1 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  const names: readonly string[] = [provider, provider === 'keycloak-oidc' ? 'keycloak' : provider, 'provider'];
  if (names.includes(kind) && value !== '') return splitRule(value, provider);
  return { kind, value };
}

function addRule(
  { kind, value }: { readonly kind: string; readonly value: string },
  { provider, found }: { readonly provider: ProviderKind; readonly found: Found },
): Fault {
  if (kind === 'signed-in' && value === '') {
    found.isSignedIn = true;
    return null;
  }
  if (kind === 'public') return ['which needs no guard', 'write --public PATH for paths that anybody may see'];
  const read = KINDS[kind];
  if (read === undefined) return ['which is no rule of a guard', WANTED];
  if (value === '') return ['which names nobody', WANTED];
  return read({ kind, value, provider, found });
}

const KINDS: Readonly<Record<string, ((rule: Rule) => Fault) | undefined>> = {
  email: ({ value, found }) => {
    if (!/^[^@\s]+@[^@\s]+$/.test(value)) return ['which is no e-mail address', 'write email:ann@example.com'];
    found.emails.push(value.toLowerCase());
    return null;
  },
  'email-domain': ({ value, found }) => {
    if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i.test(value)) return ['which is no domain', 'write @example.com'];
    found.emailDomains.push(value.toLowerCase());
    return null;
  },
  group: ({ value, provider, found }) => {
    if (provider === 'github') return ['and GitHub has no groups', 'write org:acme or team:acme/ops'];
    found.groups.push(value);
    return null;
  },
  role: ({ value, provider, found }) => {
    if (provider !== 'keycloak-oidc')
      return ['and roles are known of Keycloak alone', 'write --provider keycloak-oidc'];
    found.groups.push(`role:${value}`);
    return null;
  },
  org: ({ value, provider, found }) => {
    if (provider !== 'github') return ['which is a rule for GitHub', 'write --github, or group:NAME'];
    if (!/^[A-Za-z0-9-]+$/.test(value)) return ['which is no organisation', 'write org:acme'];
    found.groups.push(value);
    return null;
  },
  team: ({ value, provider, found }) => {
    if (provider !== 'github') return ['which is a rule for GitHub', 'write --github, or group:NAME'];
    const [, org, slug] = /^([A-Za-z0-9-]+)\/([A-Za-z0-9._-]+)$/.exec(value) ?? [];
    if (org === undefined) return ['which is no team', 'write team:ORGANISATION/SLUG'];
    found.groups.push(`${org}:${slug}`);
    return null;
  },
  user: ({ value, provider, found }) => {
    if (provider !== 'github')
      return ['and names of people are no rule here', `write email:ann@example.com; ${GATEWAY}`];
    found.users.push(value);
    return null;
  },
  ip: ({ value, found }) => {
    if (parseCidr(value) === null) return ['which is no address or network', 'write ip:10.0.0.0/8'];
    found.networks.push(value);
    return null;
  },
};
