/** SQLite chooses how it finds rows. What it does at every request, sign-in or sweep must not walk through all there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryDatabase } from './database.ts';
import { createWriter } from './group-commit.ts';
import { createRevocationTable } from './revocation-tables.ts';
import { createSessionTables } from './session-tables.ts';

/** Those that are about all rows, and are asked for at a start, by an operator, or when a clock was set back. */
const ABOUT_ALL = [
  /^SELECT s\.key, .* FROM sign_ins s WHERE 1 ORDER BY \+s\.created_at DESC, s\.key LIMIT :limit \+ 0$/,
  /^SELECT c\.key FROM .* WHERE 1 ORDER BY c\.parent, c\.ordinal$/,
  /^DELETE FROM sign_ins AS s WHERE 1$/,
  /^UPDATE sign_ins SET refresh_at = max\(0, refresh_at - \?\)/,
  /^SELECT DISTINCT provider, authority FROM sign_ins$/,
  /^SELECT provider, iif\(.* FROM pinned_names GROUP BY provider, at$/,
];

test('Sessions are found, ended and swept by an index, however many there are', () => {
  const db = openMemoryDatabase();
  try {
    const prepare = db.prepare.bind(db);
    const statements: string[] = [];
    db.prepare = (sql) => {
      statements.push(sql.replace(/\s+/g, ' '));
      return prepare(sql);
    };
    const writer = createWriter(db);
    createSessionTables(db, writer);
    createRevocationTable(db, writer);
    assert.ok(statements.length > 40);
    assert.deepEqual(
      statements.filter((sql) => /\bLIMIT (?:\?|:\w+)(?!\w| \+ 0)/.test(sql)),
      [],
      'is planned anew at each call',
    );
    const walking = statements.filter((sql) => {
      const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      return plan.some(({ detail }) => String(detail).startsWith('SCAN'));
    });
    assert.deepEqual(
      walking.filter((sql) => !ABOUT_ALL.some((pattern) => pattern.test(sql))),
      [],
    );
    for (const pattern of ABOUT_ALL)
      assert.ok(
        walking.some((sql) => pattern.test(sql)),
        `${pattern} is no more`,
      );
  } finally {
    db.close();
  }
});
