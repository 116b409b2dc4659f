/** What others try who have got hold of something. */
import { createVisitor } from '../../support/visitor.ts';
import { readTold } from './client.ts';
import { titleOf } from './sign-in.ts';
import type { Stage } from './stage.ts';
import { HOSTS, STEPS } from './world.ts';

/** What worked once is tried again, by somebody else and by whoever had it. */
export async function replay(stage: Stage): Promise<void> {
  if (stage.used.length === 0) return;
  const { url, kind } = stage.dice.pick(stage.used);
  stage.note(`a ${kind} is tried again`);
  const visitor = createVisitor();
  if (stage.dice.roll(2) === 0) visitor.cookies.push(...stage.dice.pick(stage.browsers).visitor.cookies);
  const page = await visitor
    .send(url, { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } })
    .catch(() => null);
  if (page === null) return;
  const set = (page.headers['set-cookie'] ?? []).filter((line) =>
    /^__(?:Host|Secure)-postern-[a-z0-9]+=[^;]{43};/.test(line),
  );
  if (set.length > 0 || readTold(page.body) !== null || /name="password"/.test(page.body))
    stage.wrong(`a used ${kind} opened something: ${page.status} ${titleOf(page)}`);
}

/** Cookies of one host sent to another, and those of the ended, by whoever has them. */
export async function steal(stage: Stage): Promise<void> {
  const found = stage.model.sessions.filter((one) => one.bearer === null && one.cookies.size > 0);
  if (found.length === 0) return;
  const session = stage.dice.pick(found);
  const of = stage.dice.pick([...session.cookies.keys()]);
  const host = stage.dice.pick([...HOSTS, ...STEPS]);
  stage.note(`a cookie of ${session.who} for ${of} is sent to ${host}`);
  await stage.ask(session, host, of);
}
