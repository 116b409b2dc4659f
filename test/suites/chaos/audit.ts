/** What operators are told agrees with what happened: lists, explanations, the log; and no secret is in it. */
import { rowsOf, type LogRow } from './gateway.ts';
import { admits, type Session } from './model.ts';
import type { Entry, Stage } from './stage.ts';

/** What may be lost of a log at a `kill -9`, on a slow machine. */
const LOST_MS = 5_000;

/** At a moment in which nothing is under way. */
export async function compareLists(stage: Stage): Promise<void> {
  const { model, gateway } = stage;
  if (model.isShaken || model.docs.length !== 1) return;
  const listed = (await gateway.order('sessions.list', {})).map(({ id, user }) => {
    return { id, user: user.replace(/^#/, '') };
  });
  const people = model.sessions.filter((one) => one.bearer === null);
  for (const session of people) {
    const isListed = listed.some(({ id, user }) => session.key.startsWith(id) && user === session.who);
    if (session.place === null && session.alive !== 'maybe' && isListed !== (session.alive === 'yes'))
      stage.wrong(
        `session ${session.number} of ${session.who} is ${isListed ? '' : 'not '}listed, and is ${session.alive === 'yes' ? 'alive' : 'over'}`,
      );
  }
  for (const { id, user } of listed) {
    const isKnown = people.some((one) => one.who === user && (one.place !== null || one.key.startsWith(id)));
    if (!isKnown) stage.wrong(`a session of ${user} is listed that nobody opened`);
  }
  await compareExplanations(stage);
}

async function compareExplanations(stage: Stage): Promise<void> {
  const { model, gateway } = stage;
  const [doc] = model.docs;
  const sure = stage.alive().filter((one) => one.place === null && (model.groups.get(one.who)?.length ?? 1) === 1);
  if (sure.length === 0 || doc === undefined) return;
  const session = stage.dice.pick(sure);
  for (const [host, rules] of doc.hosts) {
    if (rules.needsFactor || rules.acr !== null || rules.maxAgeMs !== null) continue;
    const facts = { groups: model.groups.get(session.who)?.[0] ?? [], hasFactor: false, isFresh: true };
    const expected = admits(rules, session, facts) ? 'allow' : 'refused';
    const told = await gateway.explain(gateway.url(host), nameOf(session));
    if ((told === 'allow' ? 'allow' : 'refused') !== expected)
      stage.wrong(
        `explain says "${told}" of ${session.who} at ${host}, and ${expected} is so (${JSON.stringify(rules)})`,
      );
  }
}

function nameOf({ member, who }: Session): string {
  return member === null ? who : `${member.provider}:user:${member.name}`;
}

export function compareBooks(stage: Stage): void {
  const output = stage.gateway.output();
  /** A page that led to a sign-in and back has several lines, of several workers. */
  const rows = new Map<string, LogRow[]>();
  for (const row of rowsOf(output)) {
    if (row.kind !== 'request') continue;
    const place = `${row.host} ${row.path}`;
    rows.set(place, [...(rows.get(place) ?? []), row]);
  }
  for (const entry of stage.entries) {
    const found = rows.get(`${entry.host} ${entry.path}`) ?? [];
    const isLost = stage.kills.some((killed) => entry.at <= killed + 1_000 && entry.at > killed - LOST_MS);
    // Of a page that led to a sign-in and back the last line may be lost, and those before it not.
    if (isLost && found.every(({ decision }) => decision === 'sign-in')) continue;
    if (!found.some((row) => agrees(row, entry)))
      stage.wrong(`the log says ${JSON.stringify(found)} of ${JSON.stringify(entry)}`);
  }
  for (const secret of stage.secrets)
    if (secret.length > 7 && output.includes(secret)) stage.wrong(`the log holds the secret ${secret.slice(0, 6)}…`);
  for (const line of output.split('\n'))
    if (
      /INTERNAL|unhandled|TypeError|RangeError|ReferenceError/i.test(line) &&
      !/defect by test|ended by itself/.test(line)
    )
      stage.wrong(`in the log: ${line.slice(0, 400)}`);
  stage.violations.push(...new Set(stage.world.app.complaints.slice(0, 5)));
}

function agrees(row: LogRow, { status, outcome, who }: Entry): boolean {
  if (outcome === 'in') return row.status === status && row.who === who && row.decision === 'allow';
  if (outcome === 'refused') return row.decision !== 'allow' && (row.status ?? 0) < 404;
  return row.status === status;
}
