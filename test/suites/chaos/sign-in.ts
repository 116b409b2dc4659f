/** How people sign in and out, by the pages. */
import { randomUUID } from 'node:crypto';
import type { Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { createVisitor, nextOf, type Visit, type Visitor } from '../../support/visitor.ts';
import { readTold } from './client.ts';
import type { Member, Session } from './model.ts';
import { NAVIGATION, patiently, type Browser, type Stage } from './stage.ts';
import { AUTH, HOME, type World } from './world.ts';

export function twinOf(world: World, provider: string): Twin {
  return provider === 'kc' ? world.kc : world.corp;
}

export function claimsOf(world: World, { provider, name }: Member): Record<string, unknown> {
  const groups = world.groupsOf.get(`${provider}:${name}`) ?? [];
  return { sub: `sub-${name}`, preferred_username: name, groups };
}

/** What the providers answer from now on. */
export function tellProviders(world: World): void {
  for (const provider of ['kc', 'corp']) {
    const members = world.members.filter((one) => one.provider === provider);
    twinOf(world, provider).people = new Map(members.map((one) => [`sub-${one.name}`, claimsOf(world, one)]));
  }
}

const accounts = new WeakMap<Member, { id: number; login: string; organisations: string[] }>();

export function accountOf(world: World, member: Member): { id: number; login: string; organisations: string[] } {
  const account = accounts.get(member) ?? {
    id: Number(member.subject.split(':')[1]),
    login: member.name,
    organisations: [],
  };
  accounts.set(member, account);
  account.organisations = [...(world.groupsOf.get(`github:${member.name}`) ?? [])];
  return account;
}

const go = (visitor: Visitor, url: string): Promise<Visit> => visitor.send(url, { headers: NAVIGATION });
const nextIn = (page: Visit): string | null => {
  const next = nextOf(page);
  return next === null ? null : new URL(next, page.url).href;
};

const WAY = { sid: '', factor: false, acr: null, saysWhen: false };

interface Entering {
  readonly stage: Stage;
  readonly browser: Browser;
  readonly member: Member;
  /** What they would show of a level that is asked for. */
  readonly granted: string;
  sid: string;
  factor: boolean;
  /** What the provider said of the last sign-in. */
  acr: string | null;
  saysWhen: boolean;
}

/** Null where the way ends before the app: with the page that it ended at in the violation of whoever expected more. */
export async function signIn(stage: Stage, browser: Browser, member: Member): Promise<Session | string> {
  const { gateway, model } = stage;
  const { visitor } = browser;
  // What a link opened is beside all that.
  const old = browser.session?.place === null ? browser.session : null;
  const entering: Entering = { ...WAY, stage, browser, member, granted: 'silver' };
  const from = Date.now();
  if (old !== null) model.change(() => (old.alive = old.alive === 'yes' ? 'maybe' : old.alive));
  let last: Visit;
  try {
    const start = await go(visitor, gateway.url(HOME, `/.postern/start?to=/${old === null ? '' : '&switch=1'}`));
    const way = nextIn(start);
    if (way === null) return `no way from the app: ${start.status}`;
    const first = await go(visitor, `${way}&provider=${member.provider}`);
    last = member.provider === 'local' ? await byPassword(entering, first) : await byProvider(entering, first);
  } catch (error) {
    return String(error);
  }
  const told = last.status === 200 && new URL(last.url).hostname === HOME ? readTold(last.body) : null;
  if (told === null) return `ended at ${new URL(last.url).pathname} with ${last.status}: ${titleOf(last)}`;
  if (member.subject === '') member.subject = told.subject;
  const session = stage.addSession({
    member,
    who: stage.who(member),
    subject: () => member.subject,
    sid: entering.sid,
  });
  session.hasFactor = entering.factor ? 'yes' : 'no';
  if (entering.saysWhen) session.signedInAt = [from - 1_000, Date.now()];
  session.entered.set(HOME, 'yes');
  stage.keepCookies(session, browser, HOME);
  if (old !== null) model.change(() => (old.alive = 'no'));
  browser.session = session;
  return session;
}

export interface Came {
  readonly isIn: boolean;
  /** By another sign-in on the way. */
  readonly isAnew: boolean;
  readonly sid: string;
  readonly factor: boolean;
  readonly acr: string | null;
  readonly saysWhen: boolean;
}

/** Somebody who is signed in goes where more is asked for; what it is they come to where that is no answer to it. */
export async function comeIn(
  stage: Stage,
  browser: Browser,
  { host, member, granted }: { readonly host: string; readonly member: Member; readonly granted: string },
): Promise<Came | string> {
  const entering: Entering = { ...WAY, stage, browser, member, granted };
  const url = stage.gateway.url(host, `/n/${stage.asked++}`);
  const first = await patiently(() => go(browser.visitor, url));
  let page = await byProvider(entering, first);
  const isAsked = /name="password"/.test(page.body);
  if (isAsked) page = await byPassword(entering, page);
  const isIn = page.status === 200 && new URL(page.url).hostname === host && readTold(page.body) !== null;
  if (!isIn && page.status !== 403) return `ended at ${page.url.split('?')[0]} with ${page.status}: ${titleOf(page)}`;
  const { sid, factor, acr, saysWhen } = entering;
  return { isIn, isAnew: isAsked || sid !== '', sid, factor, acr, saysWhen };
}

export function titleOf(page: Visit): string {
  return /<h1>([^<]*)/.exec(page.body)?.[1] ?? page.body.slice(0, 120);
}

async function byPassword(entering: Entering, form: Visit): Promise<Visit> {
  const { stage, browser, member } = entering;
  entering.saysWhen = true;
  const local = stage.locals.get(member.name);
  if (local === undefined) throw new Error(`no account "${member.name}"`);
  const page = await browser.visitor.submit(form, { name: member.name, password: local.password }, 'sign-in');
  if (!page.url.includes('/.postern/second-step') || local.recovery === null) return page;
  const code = local.recovery.shift() ?? 'none left';
  const after = await browser.visitor.submit(page, { code }, 'second-step');
  entering.factor = true;
  return after;
}

async function byProvider(entering: Entering, first: Visit): Promise<Visit> {
  const { stage, browser, member } = entering;
  const { world } = stage;
  const base = member.provider === 'github' ? world.github.url : twinOf(world, member.provider).issuer;
  let page = first;
  for (let next = nextIn(page); next !== null; next = nextIn(page)) {
    if (next.startsWith(base)) {
      const callback = visitProvider(entering, next);
      stage.used.push({ url: callback, kind: 'callback' });
      stage.secrets.add(new URL(callback).searchParams.get('code') ?? 'none at all');
      page = await go(browser.visitor, callback);
      continue;
    }
    if (next.includes('/.postern/land')) {
      stage.used.push({ url: next, kind: 'landing' });
      stage.secrets.add(new URL(next).searchParams.get('code') ?? 'none at all');
    }
    page = await go(browser.visitor, next);
  }
  return page;
}

function visitProvider(entering: Entering, url: string): string {
  const { stage, member } = entering;
  const { world } = stage;
  if (member.provider === 'github') {
    world.github.account = accountOf(world, member);
    return world.github.visit(url);
  }
  entering.sid = randomUUID();
  const twin = twinOf(world, member.provider);
  const query = new URL(url).searchParams;
  entering.acr = (query.get('acr_values') ?? '').includes('gold') ? entering.granted : null;
  entering.saysWhen = query.has('max_age') || stage.dice.roll(2) === 0;
  twin.claims = {
    ...claimsOf(world, member),
    sid: entering.sid,
    ...(entering.saysWhen ? { auth_time: Math.floor(Date.now() / 1_000) } : {}),
    ...(entering.acr === null ? {} : { acr: entering.acr }),
  };
  return twin.visit(url);
}

/** Ends the session at AUTH or at a host that it has entered; true where the answer was as it should be. */
export async function signOut(stage: Stage, browser: Browser, host: string, isEverywhere: boolean): Promise<boolean> {
  const { visitor } = browser;
  try {
    const page = await patiently(() => go(visitor, stage.gateway.url(host, '/.postern/sign-out')));
    const token = /name="form" value="([^"]+)"/.exec(page.body)?.[1];
    if (page.status !== 200 || token === undefined) return false;
    const { origin } = new URL(page.url);
    const after = await visitor.send(`${origin}/.postern/sign-out`, {
      method: 'POST',
      headers: {
        ...NAVIGATION,
        'sec-fetch-site': 'same-origin',
        origin,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ form: token, ...(isEverywhere ? { everywhere: '1' } : {}) }).toString(),
    });
    return after.status === 303;
  } catch {
    return false;
  }
}

export async function logOut(stage: Stage, token: string): Promise<number> {
  try {
    const answer = await createVisitor().send(stage.gateway.url(AUTH, '/.postern/backchannel-logout'), {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }).toString(),
    });
    return answer.status;
  } catch {
    return 0;
  }
}
