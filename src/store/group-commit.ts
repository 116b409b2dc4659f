/**
 * Writes in groups. What is queued within one turn of the event loop shares a transaction, and each
 * promise settles after its COMMIT: durable work with `synchronous=FULL`, so that it survives a power
 * cut, relaxed work (last use) with NORMAL. One failing piece is undone alone; a failing disk fails
 * the whole group, and nothing of it is acknowledged.
 */
import { PosternError } from '../core/errors.ts';
import { isStorageFailure, storeError } from './sqlite-error.ts';
import type { DatabaseSync } from 'node:sqlite';

/** Pieces of one transaction at most: a longer queue lets the event loop breathe in between. */
const MAX_GROUP = 512;

export interface Writer {
  /** Resolves with the work's result after it is on the disk. */
  durable<T>(work: () => T): Promise<T>;
  /** Resolves after the commit, which a power cut may undo; never a crash of this process. */
  relaxed<T>(work: () => T): Promise<T>;
  /** Commits what is queued and refuses what comes later. */
  close(): void;
}

interface Piece {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

export function createWriter(db: DatabaseSync): Writer {
  let durableQueue: Piece[] = [];
  let relaxedQueue: Piece[] = [];
  let scheduled: NodeJS.Immediate | null = null;
  let closed = false;
  db.exec('PRAGMA synchronous = FULL');

  function enqueue<T>(queue: () => Piece[], work: () => T): Promise<T> {
    if (closed) return Promise.reject(new PosternError('STORE_UNAVAILABLE', 'Cannot write to the store: it is closed'));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    queue().push({ work, resolve: resolve as (value: unknown) => void, reject });
    scheduled ??= setImmediate(flush);
    return promise;
  }

  function flush(): void {
    scheduled = null;
    const durable = durableQueue.splice(0, MAX_GROUP);
    const relaxed = relaxedQueue.splice(0, MAX_GROUP);
    if (durable.length > 0) commitGroup(db, durable);
    if (relaxed.length > 0) commitRelaxed(db, relaxed);
    if (durableQueue.length + relaxedQueue.length > 0) scheduled = setImmediate(flush);
  }

  return {
    durable: (work) => enqueue(() => durableQueue, work),
    relaxed: (work) => enqueue(() => relaxedQueue, work),
    close() {
      closed = true;
      if (scheduled !== null) clearImmediate(scheduled);
      while (durableQueue.length + relaxedQueue.length > 0) {
        flush();
        if (scheduled !== null) clearImmediate(scheduled);
      }
      durableQueue = [];
      relaxedQueue = [];
    },
  };
}

function commitRelaxed(db: DatabaseSync, group: readonly Piece[]): void {
  try {
    db.exec('PRAGMA synchronous = NORMAL');
    commitGroup(db, group);
  } finally {
    // A later durable commit must not inherit the weaker setting.
    db.exec('PRAGMA synchronous = FULL');
  }
}

function commitGroup(db: DatabaseSync, group: readonly Piece[]): void {
  const outcomes: Outcome[] = [];
  try {
    db.exec('BEGIN IMMEDIATE');
    for (const piece of group) outcomes.push(runPiece(db, piece));
    db.exec('COMMIT');
  } catch (error) {
    rollBack(db);
    const failure = storeError('STORE_UNAVAILABLE', 'write to the store', error);
    for (const piece of group) piece.reject(failure);
    return;
  }
  for (const [i, piece] of group.entries()) settle(piece, outcomes[i] as Outcome);
}

/** A savepoint a piece: what one of them breaks is undone without the others. */
function runPiece(db: DatabaseSync, piece: Piece): Outcome {
  db.exec('SAVEPOINT piece');
  try {
    const value = piece.work();
    db.exec('RELEASE piece');
    return { ok: true, value };
  } catch (error) {
    if (isStorageFailure(error)) throw error;
    db.exec('ROLLBACK TO piece');
    db.exec('RELEASE piece');
    return { ok: false, error };
  }
}

function settle(piece: Piece, outcome: Outcome): void {
  if (outcome.ok) piece.resolve(outcome.value);
  else piece.reject(outcome.error);
}

function rollBack(db: DatabaseSync): void {
  try {
    // SQLite has rolled back by itself after some errors of the disk.
    if (db.isOpen && db.isTransaction) db.exec('ROLLBACK');
  } catch {
    // Nothing was committed; the next BEGIN will tell.
  }
}
