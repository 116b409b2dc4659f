/** Of one person, and by one link, so many sessions are kept at a time: the oldest give way to the newest. */
import { LINK_PROVIDER } from '../core/person.ts';
import type { SessionStore, SignInSelector } from '../core/session-store.ts';
import type { OpenedSession } from './record.ts';

/** More than a page for guests has in its time, and little enough for whoever opens a link again and again to fill nothing. */
const MOST_PER_LINK = 10_000;

export interface SurplusDeps {
  readonly store: Pick<SessionStore, 'listSignIns'>;
  readonly limits: () => { readonly mostPerPerson?: number; readonly mostPerLink?: number };
}

export async function endSurplus(
  { store, limits }: SurplusDeps,
  { view: { key: newest, person } }: OpenedSession,
  end: (selector: SignInSelector) => Promise<number>,
): Promise<void> {
  const { mostPerPerson, mostPerLink = MOST_PER_LINK } = limits();
  const { provider, subject } = person;
  const most = provider === LINK_PROVIDER ? mostPerLink : mostPerPerson;
  if (most === undefined) return;
  const surplus: SignInSelector = { by: 'surplus', provider, subject, newest, most };
  // Read first: hardly anybody has so many, and a write costs. Of a link a tenth goes at once, since all are sorted for it.
  const left = provider === LINK_PROVIDER ? Math.ceil(most * 0.9) : most;
  if ((await store.listSignIns(surplus, 1)).length > 0) await end({ ...surplus, most: left });
}
