/**
 * Reads `prompt`: what a provider has to ask at every sign-in (OpenID Connect Core section 3.1.2.1, and Initiating User
 * Registration). A word that nobody defined may be an extension of the provider; one that was mistyped is refused there at each sign-in.
 */
import { didYouMean } from '../../core/did-you-mean.ts';
import type { Path } from '../document/path.ts';
import type { Context } from './context.ts';

const KNOWN: readonly string[] = ['login', 'consent', 'select_account', 'create', 'none'];

export function readPrompt(input: string | undefined, at: Path, context: Context): string | null {
  if (input === undefined) return null;
  const path = [...at, 'prompt'];
  const words = input.split(' ').filter((word) => word !== '');
  const list = KNOWN.map((one) => `"${one}"`).join(', ');
  if (words.length === 0) context.report(path, 'is empty', `write one of ${list}`);
  if (words.includes('none') && words.length > 1)
    context.report(path, 'has "none" beside another word, which every provider refuses', 'write one of them alone');
  for (const word of words) {
    const meant = KNOWN.includes(word) ? null : didYouMean(word, KNOWN);
    if (meant !== null) context.report(path, `has "${word}", which no provider knows`, `did you mean "${meant}"?`);
    else if (!KNOWN.includes(word))
      context.warn(path, `has "${word}", which only a provider with a word of its own knows`, `usual are ${list}`);
  }
  return words.join(' ');
}
