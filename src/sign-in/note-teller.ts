/**
 * What is odd about people at a refresh, for the log: each once, since everybody is asked about again and again, and once
 * more when it was over in between: whom it was told of first shows that. After a day it is news again.
 */
import type { Clock } from '../core/clock.ts';

const NEWS_AGAIN_MS = 24 * 3_600_000;
/** They hold names that operators wrote; that there are more is not thought of. */
const MOST_NOTES = 1_000;

export type TellNotes = (subject: string, notes: readonly string[]) => void;

interface Told {
  readonly subject: string;
  readonly at: number;
}

export function createNoteTeller(clock: Clock, tell: (note: string) => void): TellNotes {
  const told = new Map<string, Told>();
  const forget = (subject: string, notes: readonly string[]): void => {
    for (const [note, { subject: first, at }] of told) {
      const isOver = first === subject && !notes.includes(note);
      if (isOver || Math.abs(clock.now() - at) >= NEWS_AGAIN_MS) told.delete(note);
    }
  };
  return (subject, notes) => {
    forget(subject, notes);
    for (const note of notes) {
      if (told.has(note) || told.size >= MOST_NOTES) continue;
      told.set(note, { subject, at: clock.now() });
      tell(note);
    }
  };
}
