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
  readonly preset: string;
  readonly missing: readonly { readonly what: Unsaid; readonly claims: readonly string[] }[];
}

/** Null where everything was said, or the document has no such provider any more. */
export function unsaidClaims(
  providers: readonly Provider[],
  person: Pick<Person, 'provider'>,
  unsaid: readonly Unsaid[] = [],
): UnsaidClaims | null {
  const provider = providers.find(({ id }) => id === person.provider);
  if (unsaid.length === 0 || provider?.type !== 'oidc') return null;
  const { id, label, preset, groupsClaims, rolesClaims } = provider;
  const claims = { groups: groupsClaims, roles: rolesClaims };
  return { id, label, preset, missing: unsaid.map((what) => ({ what, claims: claims[what] })) };
}

/** `mayKnow`: names of claims and of keys of the document are for whoever may know the rules. */
export function unsaidNote(texts: Texts, claims: UnsaidClaims, mayKnow: boolean): Html {
  const { unsaid } = texts.denied;
  return html`${claims.missing.map(
    (one) =>
      html`<p class="note">${unsaid[one.what](claims.label)}</p>
        ${mayKnow && html`<p class="note">${remedyFor(texts, claims, one)}</p>`}`,
  )}`;
}

const KEYS: Readonly<Record<Unsaid, string>> = { groups: 'groups_claim', roles: 'roles_claim' };

function remedyFor(
  { denied: { unsaid } }: Texts,
  { id, label, preset }: UnsaidClaims,
  { what, claims }: UnsaidClaims['missing'][number],
): string {
  const isPreset = what === 'groups' && claims[0] === 'groups' && Object.hasOwn(unsaid.atProvider, preset);
  return unsaid.operator({
    label,
    claims: claims.map((claim) => `“${claim}”`).join(', '),
    key: `“${KEYS[what]}”`,
    provider: `“providers.${id}”`,
    remedy: isPreset ? (unsaid.atProvider[preset] ?? null) : null,
  });
}
