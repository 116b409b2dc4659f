/** What providers do: they end sessions, know other groups, have other keys, go away and come back. */
import { showNewKey } from './bearers.ts';
import { ending } from './ending.ts';
import type { Member } from './model.ts';
import { logOut, tellProviders, accountOf, twinOf } from './sign-in.ts';
import { groupsIn, sorted, type Stage } from './stage.ts';
import { GROUPS, HOME } from './world.ts';

export async function backChannel(stage: Stage): Promise<void> {
  const { dice, world, model } = stage;
  const found = stage.alive().filter(({ member }) => member?.provider === 'kc' || member?.provider === 'corp');
  if (found.length === 0) return;
  const session = dice.pick(found);
  const member = session.member as Member;
  if (stage.away.has(member.provider)) return;
  const bySid = dice.roll(2) === 0;
  const sub = `sub-${member.name}`;
  const claims = bySid ? { sid: session.sid, ...(dice.roll(2) === 0 ? { sub } : {}) } : { sub };
  const token = twinOf(world, member.provider).signLogout(claims);
  stage.secrets.add(token);
  stage.note(`${member.provider} ends ${bySid ? `session ${session.number} of ` : ''}${session.who}`);
  await ending(
    stage,
    (one) => (bySid ? one === session : one.member === member),
    async () => {
      let status = 0;
      for (let tries = 0; tries < 40 && status !== 200 && status !== 400; tries++) {
        status = await logOut(stage, token);
        if (status !== 200) await new Promise((done) => setTimeout(done, 250));
      }
      if (status !== 200 && !stage.isCrossing && !model.isShaken) stage.wrong(`a logout token was answered ${status}`);
      return status === 200;
    },
  );
  if ((await logOut(stage, token)) === 200 && !model.isShaken && !stage.isCrossing)
    stage.wrong('a logout token counted twice');
}

export async function changeGroups(stage: Stage): Promise<void> {
  const { dice, world, model, gateway } = stage;
  const member = dice.pick(world.members);
  const who = stage.who(member);
  const groups = (GROUPS[member.provider] ?? []).filter(() => dice.roll(2) === 0);
  stage.note(`${who} is in ${groups.join() || 'no group'} now`);
  model.change(() => model.groups.set(who, [...(model.groups.get(who) ?? [[]]), groups]));
  world.groupsOf.set(who, groups);
  tellProviders(world);
  if (member.provider === 'github') accountOf(world, member);
  if (member.provider !== 'local') return;
  const isDone = await gateway.order('user.groups', { name: member.name, groups }).then(
    () => true,
    () => false,
  );
  if (isDone) model.change(() => model.groups.set(who, [groups]));
}

/** Of somebody whom it failed while it answered for others a provider is asked again after a minute, and five seconds. */
const SETTLED_MS = 120_000;

/** After the next look at the provider everybody has the groups of now, and nobody has left by it. */
export async function settleGroups(stage: Stage): Promise<void> {
  const { world, model } = stage;
  stage.note('groups are waited for');
  for (const member of world.members) {
    const who = stage.who(member);
    if ((model.groups.get(who)?.length ?? 0) < 2 || stage.away.has(member.provider)) continue;
    const wanted = sorted(world.groupsOf.get(who) ?? []);
    const deadline = Date.now() + SETTLED_MS;
    for (;;) {
      const sessions = model.sessions.filter((one) => one.member === member && one.alive !== 'no' && one.jwt === null);
      const seen = await Promise.all(sessions.map((one) => stage.ask(one, HOME)));
      const isDone = seen.every(
        ({ outcome, told }) => outcome !== 'in' || (told !== null && groupsIn(told.groups, member) === wanted),
      );
      if (isDone) break;
      if (Date.now() > deadline) {
        stage.wrong(`${who} has other groups than ${wanted} ${SETTLED_MS} ms after the provider said so`);
        break;
      }
      await new Promise((done) => setTimeout(done, 300));
    }
    model.change(() => model.groups.set(who, [world.groupsOf.get(who) ?? []]));
  }
}

export async function stopOrStart(stage: Stage): Promise<void> {
  const { away, dice, world } = stage;
  const provider = [...away][0] ?? dice.pick(['kc', 'corp']);
  stage.note(`${provider} ${away.has(provider) ? 'comes back' : 'goes away'}`);
  if (away.has(provider)) {
    await twinOf(world, provider).start();
    away.delete(provider);
    stage.cameBack(provider);
    return;
  }
  away.add(provider);
  await twinOf(world, provider).stop();
}

export async function rotateKeys(stage: Stage): Promise<void> {
  const provider = stage.dice.pick(['kc', 'corp']);
  const { model } = stage;
  stage.note(`${provider} has other keys`);
  const gone = stage.keyOf(provider);
  const old = model.sessions.filter(({ member, jwt }) => member?.provider === provider && jwt?.kid === gone.kid);
  model.change(() => {
    for (const { jwt } of old) if (jwt?.isKeyThere === 'yes') jwt.isKeyThere = 'maybe';
  });
  twinOf(stage.world, provider).rotateKeys();
  // Keys are asked for once a second at most: a token by one that is newer than that is not known.
  await new Promise((done) => setTimeout(done, 1_100));
  if (!(await showNewKey(stage, provider))) return;
  stage.note(`${provider} is seen to have other keys`);
  // Every worker has been told by then.
  await new Promise((done) => setTimeout(done, 1_000));
  stage.goneKeys.set(provider, gone);
  model.change(() => {
    for (const { jwt } of old) if (jwt !== null) jwt.isKeyThere = 'no';
  });
}
