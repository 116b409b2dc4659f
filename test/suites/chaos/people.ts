/** What people do: they sign in and out, come, listen, and look after their accounts. */
import { TOTP } from 'otpauth';
import { createVisitor } from '../../support/visitor.ts';
import { readTold, openSocket } from './client.ts';
import { ending, isOf } from './ending.ts';
import type { Member, Session } from './model.ts';
import { signIn, signOut, titleOf } from './sign-in.ts';
import type { Sockets } from './sockets.ts';
import type { Browser, Stage } from './stage.ts';
import { AUTH, DOCS, HOME, HOSTS, STEPS } from './world.ts';

export async function enterAgain(stage: Stage): Promise<void> {
  const { dice, model, away, world } = stage;
  const browser = dice.pick(stage.browsers);
  const member = dice.pick(world.members);
  if (browser.session?.member === member) return;
  const who = stage.who(member);
  stage.note(`browser ${browser.number} signs in as ${who}`);
  const old = browser.session?.place === null ? browser.session : null;
  const mayEnter = (): boolean =>
    !away.has(member.provider) &&
    model.docs.every((doc) => doc.providers.has(member.provider)) &&
    (member.provider !== 'local' || stage.locals.get(member.name)?.enabled === true);
  const before = mayEnter();
  let answer = await signIn(stage, browser, member);
  // Who comes in the second behind a failure gets the same answer, and a page that says to try again.
  // Where the gateway is killed meanwhile, it has to be there again: what it has opened by then is nobody's otherwise.
  const mostTries = stage.isCrossing ? 20 : 8;
  for (let tries = 0; typeof answer === 'string' && mayEnter() && tries < mostTries; tries++) {
    await new Promise((done) => setTimeout(done, 500 * tries));
    answer = await signIn(stage, browser, member);
  }
  const isCalm = !stage.isCrossing && !model.isShaken;
  if (typeof answer === 'string') {
    if (before && mayEnter() && isCalm) stage.wrong(`${who} cannot sign in: ${answer}`);
    if (old !== null) await stage.settle(old);
    if (browser.session?.alive !== 'yes') stage.renew(browser);
    return;
  }
  if (!before && !mayEnter() && isCalm) stage.wrong(`${who} signed in although the way is closed`);
}

export async function visit(stage: Stage): Promise<void> {
  const browser = stage.dice.pick(stage.browsers);
  const host = stage.dice.pick(HOSTS);
  stage.note(`browser ${browser.number} (${browser.session?.who ?? 'nobody'}) opens ${host}`);
  await stage.open(browser, host);
}

function signedIn(stage: Stage): (Browser & { session: Session }) | null {
  const found = stage.browsers.filter((one): one is Browser & { session: Session } => one.session?.alive === 'yes');
  return found.length === 0 ? null : stage.dice.pick(found);
}

export async function leave(stage: Stage): Promise<void> {
  const browser = signedIn(stage);
  if (browser === null) return;
  const { session } = browser;
  const host = session.place ?? stage.dice.pick([AUTH, HOME]);
  const isEverywhere = session.member !== null && stage.dice.roll(3) === 0;
  stage.note(`browser ${browser.number} (${session.who}) signs out at ${host}${isEverywhere ? ', everywhere' : ''}`);
  await ending(
    stage,
    (one) => one === session || (isEverywhere && one.member === session.member),
    async () => {
      const isDone = await signOut(stage, browser, host, isEverywhere);
      if (!isDone && !stage.isCrossing && !stage.model.isShaken)
        stage.wrong(`${session.who} cannot sign out at ${host}`);
      return isDone;
    },
  );
}

export async function openLink(stage: Stage): Promise<void> {
  const browser = stage.browsers.find((one) => one.session === null);
  if (browser === undefined) return;
  const name = `link-${stage.asked}`;
  stage.note(`browser ${browser.number} opens ${name}`);
  const { url } = await stage.gateway.order('link.create', {
    url: stage.gateway.url(DOCS, '/shared/*'),
    name,
    lifetimeMs: 3_600_000,
    uses: 1,
  });
  stage.secrets.add(new URL(url).searchParams.get('token') ?? 'none at all');
  stage.renew(browser);
  const page = await browser.visitor.open(url);
  const opened = await browser.visitor.submit(page, {}, '/.postern/link');
  const told = readTold(opened.body);
  if (told === null) {
    stage.wrong(`a link that is new does not open: ${opened.status} ${titleOf(opened)}`);
    return;
  }
  const who = `link:${name}`;
  const session = stage.addSession({ member: null, who, subject: () => told.subject, place: DOCS });
  session.entered.set(DOCS, 'yes');
  if (told.user !== who) stage.wrong(`by ${who} the app was told of "${told.user}"`);
  stage.keepCookies(session, browser, DOCS);
  browser.session = session;
  stage.used.push({ url, kind: 'link' });
}

export async function changePassword(stage: Stage): Promise<void> {
  const { world, dice, gateway } = stage;
  const member = dice.pick(world.members.filter((one) => one.provider === 'local'));
  const local = stage.locals.get(member.name);
  if (local?.enabled !== true) return;
  stage.note(`${stage.who(member)} has another password`);
  const { url } = await gateway.order('user.link', { name: member.name });
  await ending(stage, isOf(member), async () => {
    const visitor = createVisitor();
    const password = `another horse ${stage.asked}`;
    stage.secrets.add(password);
    const page = await visitor.open(url);
    const after = await visitor.submit(page, { password, again: password });
    if (after.status !== 200) stage.wrong(`a link to set a password does not: ${after.status} ${titleOf(after)}`);
    local.password = password;
    stage.used.push({ url, kind: 'password' });
    // It signs in, too; that one is nobody's here.
    await signOut(stage, { number: -1, visitor, session: null }, AUTH, false);
    return true;
  });
}

export async function changeFactor(stage: Stage): Promise<void> {
  const { gateway, model } = stage;
  const browser = stage.browsers.find(
    ({ session }) => session?.member?.provider === 'local' && session.alive === 'yes',
  );
  if (browser?.session === undefined || browser.session === null) return;
  const { session } = browser;
  const member = session.member as Member;
  const local = stage.locals.get(member.name);
  if (local === undefined) return;
  if (local.recovery !== null) {
    stage.note(`second factors of ${session.who} are reset`);
    await ending(stage, isOf(member), () =>
      gateway.order('user.reset-factors', { name: member.name }).then(() => true),
    );
    local.recovery = null;
    return;
  }
  stage.note(`${session.who} adds a second factor`);
  const { visitor } = browser;
  model.change(() => (session.alive = 'maybe'));
  const page = await visitor.open(gateway.url(AUTH, '/.postern/security?add=totp'));
  const secret = (/<code class="secret">([^<]+)</.exec(page.body)?.[1] ?? '').replaceAll(' ', '');
  if (secret === '') {
    await stage.settle(session);
    return;
  }
  const code = new TOTP({ secret }).generate();
  const done = await visitor.submit(page, { code, name: 'Phone' }, 'security');
  const recovery = [...done.body.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, one = '']) => one);
  if (recovery.length === 0) {
    stage.wrong(`${session.who} cannot add a second factor: ${done.status} ${titleOf(done)}`);
    return;
  }
  for (const one of recovery) stage.secrets.add(one);
  local.recovery = recovery;
  model.change(() => (session.alive = 'no'));
  const next = stage.addSession({ member, who: session.who, subject: session.subject });
  next.hasFactor = 'yes';
  next.signedInAt = session.signedInAt;
  browser.session = next;
  stage.keepCookies(next, browser, HOME);
  await stage.open(browser, HOME);
}

export async function listen(stage: Stage, sockets: Sockets): Promise<void> {
  const now = Date.now();
  const programs = stage.model.sessions.filter(({ jwt }) => jwt?.isKeyThere === 'yes' && now < jwt.endsAt);
  const found = [...stage.alive().filter((one) => one.bearer === null), ...programs.slice(-4)];
  if (found.length === 0) return;
  const session = stage.dice.pick(found);
  const ofProgram = session.jwt === null ? [...session.entered.keys()] : [HOME, ...STEPS];
  const host = session.place ?? stage.dice.pick(ofProgram);
  stage.note(`${session.who} opens a WebSocket at ${host}`);
  const path = session.place === null ? `/ws/${stage.asked++}` : `/shared/${stage.asked++}`;
  const possible = stage.model.watch(() => stage.model.outcomes(session, host));
  const socket = await openSocket({
    port: stage.gateway.port,
    host,
    path,
    cookie: session.cookies.get(host) ?? '',
    bearer: session.bearer,
  });
  const outcomes = possible();
  if (socket === null) {
    if (outcomes.size === 1 && outcomes.has('in')) stage.wrong(`${session.who} cannot open a WebSocket at ${host}`);
    return;
  }
  const isKnown = socket.told.subject !== '';
  if (!outcomes.has(isKnown ? 'in' : 'nobody'))
    stage.wrong(`${session.who} opened a WebSocket at ${host}, possible: ${[...outcomes].join()}`);
  if (isKnown && socket.told.subject !== session.subject())
    stage.wrong(`a WebSocket of ${session.who} is for ${socket.told.subject}`);
  sockets.add(session, host, socket);
}
