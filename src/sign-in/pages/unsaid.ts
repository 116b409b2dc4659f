/**
 * Who is refused although their provider said nothing of what the rules look at: it says so on the page, and to those who
 * may know the rules what to change at the provider. Imports nothing heavy: edge workers make it themselves.
 */
import type { Provider } from '../../config/document/providers.ts';
import type { Person, Unsaid } from '../../core/person.ts';
import type { Texts } from '../texts/texts.ts';
import { html, type Html } from './html.ts';

export interface UnsaidClaims {
  /** On the button of the chooser. */
  readonly label: string;
  readonly id: string;
  /** "github" for GitHub. */
  readonly preset: string;
  /** `claims`: of "organisations" their names. */
  readonly missing: readonly { readonly what: Unsaid; readonly claims: readonly string[] }[];
}

/** Of a refusal. */
export interface UnsaidFacts {
  readonly unsaid?: readonly Unsaid[];
  readonly withheld?: readonly string[];
}

/** Null where everything was said, or the document has no such provider any more. */
export function unsaidClaims(
  providers: readonly Provider[],
  person: Pick<Person, 'provider'>,
  { unsaid = [], withheld = [] }: UnsaidFacts,
): UnsaidClaims | null {
  const provider = providers.find(({ id }) => id === person.provider);
  // Whoever runs the site keeps local accounts: there is nobody else to say anything.
  if (unsaid.length === 0 || provider === undefined || provider.type === 'local') return null;
  const claims = { ...claimsOf(provider), organisations: withheld };
  const { id, label } = provider;
  const missing = unsaid.map((what) => ({ what, claims: claims[what] }));
  return { id, label, preset: provider.type === 'oidc' ? provider.preset : provider.type, missing };
}

function claimsOf(
  provider: Exclude<Provider, { type: 'local' }>,
): Omit<Record<Unsaid, readonly string[]>, 'organisations'> {
  const none = { name: [], groups: [], roles: [], email: ['email'], 'verified-email': ['email_verified'] };
  if (provider.type === 'github') return none;
  return { ...none, name: provider.userClaims, groups: provider.groupsClaims, roles: provider.rolesClaims };
}

/** `mayKnow`: names of claims and of keys of the document are for whoever may know the rules. */
export function unsaidNote(texts: Texts, claims: UnsaidClaims, mayKnow: boolean): Html {
  return html`${claims.missing.map((one) => {
    const remedy = mayKnow ? remedyFor(texts, claims, one) : null;
    return html`<p class="note">${saidOf(texts, claims, one)}</p>
      ${remedy !== null && html`<p class="note">${remedy}</p>`}`;
  })}`;
}

type Missing = UnsaidClaims['missing'][number];

function saidOf({ denied, provider }: Texts, { label }: UnsaidClaims, { what, claims }: Missing): string {
  return what === 'organisations' ? provider.problems.withheld.text(claims.join(', ')) : denied.unsaid[what](label);
}

const KEYS = { name: 'user_claim', groups: 'groups_claim', roles: 'roles_claim' } as const;

/** Null where there is nothing to change in the document or at the provider. */
function remedyFor(
  { denied: { unsaid }, provider: { problems } }: Texts,
  { id, label, preset }: UnsaidClaims,
  { what, claims }: Missing,
): string | null {
  const provider = `“providers.${id}”`;
  if (what === 'organisations') return problems.withheld.operator ?? null;
  if (what === 'email') return preset === 'github' ? null : unsaid.operatorEmail(label, provider);
  if (what === 'verified-email') return unsaid.operatorDomains(label, provider, preset !== 'github');
  const isPreset = what === 'groups' && claims[0] === 'groups' && Object.hasOwn(unsaid.atProvider, preset);
  return unsaid.operator({
    label,
    claims: claims.map((claim) => `“${claim}”`).join(', '),
    key: `“${KEYS[what]}”`,
    provider,
    remedy: isPreset ? (unsaid.atProvider[preset] ?? null) : null,
  });
}
