/** Whom a page of ours refuses before they come to a host. The page is for the visitor; its line in the log is about this. */
import type { RefusedEntry } from './ports.ts';

const entries = new WeakMap<Response, RefusedEntry>();

export function noteRefused(response: Response, entry: RefusedEntry): Response {
  entries.set(response, entry);
  return response;
}

/** Null: the page says something else. */
export function refusedEntryOf(response: Response): RefusedEntry | null {
  return entries.get(response) ?? null;
}
