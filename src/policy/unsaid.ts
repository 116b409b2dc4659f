/**
 * What the provider of a person keeps to itself: why an allow rule may not match somebody whom it means, and why a
 * deny that may mean them refuses. What is not known to be kept back is none: many providers leave out an empty list.
 */
import type { Person, Unsaid } from '../core/person.ts';
import type { Facts } from './facts.ts';

export interface Lack {
  readonly what: Unsaid;
  /** The organisation, where it is about one. */
  readonly name?: string;
}

export function lacksOf({ unsaid = [], withheld = [], email, emailVerified }: Person): readonly Lack[] {
  const lacks: Lack[] = unsaid.map((what) => ({ what }));
  if (email === null) lacks.push({ what: 'email' });
  else if (!emailVerified) lacks.push({ what: 'verified-email' });
  for (const name of withheld) lacks.push({ what: 'organisations', name });
  return lacks;
}

/** Whether the person may be in this organisation for all that the provider says. */
export function isKept({ withheld }: Person, organisation: string): boolean {
  return withheld?.includes(organisation) === true;
}

/** For the log and for those who may know the rules. */
export function describeLacks({ identity }: Facts, lacks: readonly Lack[]): string {
  const provider = identity.kind === 'person' ? identity.person.provider : '';
  return lacks.map((lack) => `"${provider}" did not say ${wordsFor(lack)}`).join('; ');
}

const WORDS: Readonly<Record<Exclude<Unsaid, 'organisations'>, string>> = {
  name: 'the name of the person',
  groups: 'the groups of the person',
  roles: 'the roles of the person',
  email: 'an e-mail address of the person',
  'verified-email': 'that the e-mail address of the person is verified, or is not listed for its domain',
};

function wordsFor({ what, name = '' }: Lack): string {
  return what === 'organisations' ? `whether the person is in "${name}"` : WORDS[what];
}
