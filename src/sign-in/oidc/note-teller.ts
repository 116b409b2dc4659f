import type { Refreshed } from '../provider.ts';

/** What a refresh notes: once until one has nothing to note, since it is asked again and again, of everybody. */
export function createNoteTeller(tell: (message: string) => void): (refreshed: Refreshed) => Refreshed {
  let isTold = false;
  return (refreshed) => {
    if (refreshed.kind !== 'known') return refreshed;
    const [note] = refreshed.notes;
    if (note !== undefined && !isTold) tell(note);
    isTold = note !== undefined;
    return refreshed;
  };
}
