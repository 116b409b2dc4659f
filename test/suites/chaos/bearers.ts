/** Access tokens of the providers as credentials: good ones, such as end, and such as somebody made up. */
import { ask } from './client.ts';
import type { Jwt, Member, Session } from './model.ts';
import { claimsOf, twinOf } from './sign-in.ts';
import type { Stage } from './stage.ts';
import { AUDIENCE, HOME, HOSTS, PARTY, STEPS, TOLERANCE_S } from './world.ts';

const WAIT_MS = 60_000;

type Claims = Readonly<Record<string, unknown>>;

export function claimsFor(stage: Stage, member: Member, over: Claims = {}): Claims {
  const { issuer } = twinOf(stage.world, member.provider);
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  return {
    iss: issuer,
    aud: AUDIENCE,
    azp: PARTY,
    exp,
    jti: `${stage.asked++}`,
    ...claimsOf(stage.world, member),
    ...over,
  };
}

export function ofProviders(stage: Stage): readonly Member[] {
  const { world, model, away } = stage;
  return world.members.filter(
    ({ provider }) =>
      (provider === 'kc' || provider === 'corp') &&
      !away.has(provider) &&
      model.docs.every((doc) => doc.providers.has(provider)),
  );
}

/** A session in all but the cookie. */
function bearerOf(stage: Stage, member: Member, token: string, jwt: Jwt): Session {
  stage.secrets.add(token);
  return {
    ...stage.newSession({ member, who: stage.who(member), subject: () => member.subject }),
    alive: 'yes',
    bearer: token,
    jwt,
  };
}

/** Somebody's program, for an hour or some seconds; now and then by a sign-in of which the token says how, and when it was. */
export async function takeToken(stage: Stage): Promise<void> {
  const { dice, model } = stage;
  const members = ofProviders(stage);
  if (members.length === 0) return;
  const member = dice.pick(members);
  const exp = Math.floor(Date.now() / 1_000) + dice.pick([2, 5, 10, 3_600, 3_600]);
  const acr = dice.pick([null, 'gold', 'silver']);
  const at = dice.pick([null, Math.floor(Date.now() / 1_000), Math.floor(Date.now() / 1_000) - 7]);
  const said = { exp, ...(acr === null ? {} : { acr }), ...(at === null ? {} : { auth_time: at }) };
  const claims = claimsFor(stage, member, said);
  stage.note(`a token of ${stage.who(member)} until ${exp}, acr ${acr}, auth_time ${at}`);
  const groups = claims['groups'] as readonly string[];
  const key = stage.keyOf(member.provider);
  const jwt: Jwt = { groups, endsAt: (exp + TOLERANCE_S) * 1_000, isKeyThere: 'yes', kid: key.kid };
  const token = twinOf(stage.world, member.provider).sign(claims, {}, key);
  const session = bearerOf(stage, member, token, jwt);
  session.acr = acr;
  session.signedInAt = at === null ? null : [at * 1_000, at * 1_000];
  model.change(() => model.sessions.push(session));
  for (const host of [HOME, dice.pick([...HOSTS, ...STEPS])]) await stage.ask(session, host);
}

/**
 * Resolves once the gateway has seen that the provider signs with another key; false where it could not be told. Whoever
 * comes by one before has it looked for, once a second at most.
 */
export async function showNewKey(stage: Stage, provider: string): Promise<boolean> {
  const member = ofProviders(stage).find((one) => one.provider === provider);
  if (member === undefined || stage.model.isShaken) return false;
  const { gateway } = stage;
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline;) {
    // Each another one: what was refused a moment ago is not looked at again.
    const bearer = twinOf(stage.world, provider).sign(claimsFor(stage, member));
    stage.secrets.add(bearer);
    const path = `/n/${stage.asked++}`;
    const seen = await ask(stage.agents[0], { port: gateway.port, host: HOME, path, cookie: '', bearer });
    if (seen.outcome === 'in') return true;
    if (ofProviders(stage).every((one) => one.provider !== provider)) return false;
    await new Promise((done) => setTimeout(done, 500));
  }
  if (!stage.isCrossing && !stage.model.isShaken && !stage.isStalled() && !stage.wasAway(provider))
    stage.wrong(`a token by the new key of ${provider} does not count after ${WAIT_MS} ms`);
  return false;
}

/** Tokens that are none: each has to be refused, or is nobody's where everybody may come. */
export async function forge(stage: Stage): Promise<void> {
  const { dice, world } = stage;
  const members = ofProviders(stage);
  if (members.length === 0) return;
  const member = dice.pick(members);
  const twin = twinOf(world, member.provider);
  const rival = member.provider === 'kc' ? 'corp' : 'kc';
  const other = twinOf(world, rival);
  const make = (over: Claims = {}): Claims => claimsFor(stage, member, { acr: 'gold', ...over });
  const long = Math.floor(Date.now() / 1_000) - 3_600;
  const gone = stage.goneKeys.get(member.provider);
  const kinds: Readonly<Record<string, () => string>> = {
    'has ended': () => twin.sign(make({ exp: long })),
    'begins tomorrow': () => twin.sign(make({ nbf: long + 90_000 })),
    'has no end': () => twin.sign(make({ exp: undefined })),
    'is not signed': () => twin.sign(make(), { alg: 'none' }),
    'is signed by the public key as a secret': () => twin.sign(make(), { alg: 'HS256' }),
    'is signed by the other provider': () => twin.sign(make(), { kid: twin.key().kid }, other.key()),
    'is of another program': () => twin.sign(make({ azp: 'web' })),
    'is an ID token': () => twin.sign(make({ nonce: 'n', at_hash: 'h' })),
    // While that one is away nobody can say whether it is one of its tokens.
    ...(stage.wasAway(rival) ? {} : { 'names the other provider': () => twin.sign(make({ iss: other.issuer })) }),
    ...(gone === undefined ? {} : { 'is by a key that is gone': () => twin.sign(make(), {}, gone) }),
  };
  for (const [kind, sign] of Object.entries(kinds)) {
    stage.note(`a token of ${stage.who(member)} ${kind}`);
    const dead: Jwt = { groups: [], endsAt: 0, isKeyThere: 'no', kid: '' };
    const session = bearerOf(stage, member, sign(), dead);
    await stage.ask(session, dice.pick([HOME, HOME, ...HOSTS, ...STEPS]));
  }
}
