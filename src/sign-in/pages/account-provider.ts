/**
 * What the provider of an account is called, beside the account's name: where people come by several, alice of one is not
 * alice of another, and who is refused as the one may well be let in as the other. Imports nothing heavy: edge workers use it.
 */
import type { Texts } from '../texts/texts.ts';

export interface NamedProvider {
  readonly id: string;
  /** On the chooser's button; left out: accounts of Postern's own, which each language calls in its words. */
  readonly label?: string;
}

/** Null where there is one provider alone, and where the document has the account's no more. */
export function providerNameOf(texts: Texts, providerId: string, all: readonly NamedProvider[]): string | null {
  const found = all.length < 2 ? undefined : all.find(({ id }) => id === providerId);
  return found === undefined ? null : (found.label ?? texts.provider.local);
}
