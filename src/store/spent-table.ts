/**
 * What was used and works no second time, across restarts too. Bounded for each use by itself: where one
 * is full nothing more of it is taken, which makes people try again rather than lets a replay pass.
 */
import type { SessionStore } from '../core/session-store.ts';
import type { Writer } from './group-commit.ts';
import type { DatabaseSync } from 'node:sqlite';

export function createSpentTable(
  db: DatabaseSync,
  writer: Writer,
): Pick<SessionStore, 'spend' | 'wasSpent' | 'deleteSpent'> {
  const insert = db.prepare('INSERT OR IGNORE INTO spent (use, key, until) VALUES (?, ?, ?)');
  const find = db.prepare('SELECT 1 FROM spent WHERE use = ? AND key = ?');
  const count = db.prepare('SELECT count(*) AS n FROM spent WHERE use = ?');
  const expire = db.prepare('DELETE FROM spent WHERE until <= ?');
  /** Counting rows for each would cost as much as there are. */
  const counts = new Map<string, number>();
  const countOf = (use: string): number => {
    const known = counts.get(use);
    if (known !== undefined) return known;
    const found = Number(count.get(use)?.['n']);
    counts.set(use, found);
    return found;
  };
  return {
    spend: (use, key, { until, most }) =>
      writer.durable(() => {
        const before = countOf(use);
        if (before >= most || Number(insert.run(use, key, until).changes) === 0) return false;
        counts.set(use, before + 1);
        return true;
      }),
    wasSpent: (use, key) => Promise.resolve(find.get(use, key) !== undefined),
    deleteSpent: (now) =>
      writer.durable(() => {
        const gone = Number(expire.run(now).changes);
        // Looked up again: a group that was undone has left them too high, too.
        if (gone > 0) counts.clear();
        return gone;
      }),
  };
}
