/** Routes that ask for a level, or for a recent sign-in: people are sent to their provider once more, or type their password. */
import type { Session } from './model.ts';
import { comeIn, signOut } from './sign-in.ts';
import type { Stage } from './stage.ts';
import { AUTH, FRESH, GOLD, HOME } from './world.ts';

const LATE_MS = 4_000;

export async function stepUp(stage: Stage): Promise<void> {
  const { dice, model } = stage;
  const found = stage.browsers.filter(
    ({ session }) => session?.alive === 'yes' && session.member !== null && session.member.provider !== 'github',
  );
  if (found.length === 0) return;
  const browser = dice.pick(found);
  const old = browser.session as Session;
  const { member } = old;
  if (member === null || stage.away.has(member.provider)) return;
  // What a local account shows for a level is a second factor, which is another page's.
  const host = member.provider === 'local' ? FRESH : dice.pick([GOLD, FRESH]);
  const granted = dice.pick(['gold', 'gold', 'silver']);
  stage.note(`browser ${browser.number} (${old.who}) opens ${host}, and would show "${granted}"`);
  const from = Date.now();
  model.change(() => (old.alive = 'maybe'));
  const came = await comeIn(stage, browser, { host, member, granted }).catch((error: unknown) => String(error));
  const isCalm = !stage.isCrossing && !model.isShaken && !stage.isStalled();
  if (typeof came === 'string') {
    if (isCalm && !stage.wasAway(member.provider)) stage.wrong(`${old.who} cannot come to ${host}: ${came}`);
    // Whatever was opened on the way is nobody's.
    await signOut(stage, browser, AUTH, false);
    await stage.settle(old);
    stage.renew(browser);
    return;
  }
  let session = old;
  if (came.isAnew) {
    session = stage.addSession({ member, who: old.who, subject: old.subject, sid: came.sid });
    // A local account shows its second factor, too, where it has one.
    session.hasFactor = came.factor ? 'yes' : 'no';
    session.acr = member.provider === 'local' ? null : came.acr;
    if (came.saysWhen) session.signedInAt = [from - 1_000, Date.now()];
    model.change(() => (old.alive = 'no'));
    browser.session = session;
  } else model.change(() => (old.alive = 'yes'));
  const isMeant = host === FRESH || session.acr === 'gold';
  // On a slow machine the way back takes longer than a sign-in is recent.
  const isLate = host === FRESH && Date.now() - from > LATE_MS;
  if (came.isIn !== isMeant && !isLate)
    stage.wrong(`${old.who} is ${came.isIn ? '' : 'not '}in at ${host} with ${session.acr}`);
  if (came.isIn) model.change(() => session.entered.set(host, 'yes'));
  stage.keepCookies(session, browser, host);
  await stage.open(browser, HOME);
  await stage.ask(session, host);
}
