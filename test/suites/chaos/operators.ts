/** What operators do, and what happens to their machine. */
import { ending, isOf } from './ending.ts';
import type { Member, Session } from './model.ts';
import type { Stage } from './stage.ts';
import { twinOf } from './sign-in.ts';
import { HOME, nextDoc } from './world.ts';

export async function reload(stage: Stage): Promise<void> {
  const { model, gateway, dice } = stage;
  const [before] = model.docs;
  if (before === undefined || model.docs.length > 1) return;
  const next = nextDoc(dice, before);
  const rules = [...next.hosts]
    .slice(6)
    .map(([host, { allow, deny }]) => `${host} ${allow.join('+')}${deny.length > 0 ? `-${deny.join()}` : ''}`);
  stage.note(`reload: ${[...next.providers].join()}; ${rules.join('; ')}`);
  model.change(() => (model.docs = [before, next]));
  const gone = (session: Session): boolean => session.member !== null && !next.providers.has(session.member.provider);
  await ending(stage, gone, async () => {
    await gateway.reload(next);
    model.change(() => (model.docs = [next]));
    return true;
  });
  // Who enters a host that was away may have to be handed over again.
  model.change(() => {
    for (const session of model.sessions)
      for (const [host, truth] of session.entered)
        if (truth === 'yes' && !before.hosts.has(host)) session.entered.set(host, 'maybe');
  });
}

export async function expire(stage: Stage): Promise<void> {
  const { model, gateway } = stage;
  const [doc] = model.docs;
  if (doc === undefined || model.docs.length > 1) return;
  stage.note('sessions last one second, for a moment');
  const isPerson = ({ member, place }: Session): boolean => member !== null || place !== null;
  const young = model.sessions.filter((one) => one.alive !== 'no' && one.jwt === null && isPerson(one));
  const youngest = Math.max(0, ...young.map((one) => one.bornAt));
  await new Promise((done) => setTimeout(done, Math.max(0, youngest + 1_500 - Date.now())));
  await ending(stage, isPerson, async () => {
    await gateway.reload({ ...doc, lifetime: '1s, idle: 2h' });
    return true;
  });
  for (const session of young) await stage.ask(session, session.place ?? HOME);
  await gateway.reload(doc);
}

export async function endWorker(stage: Stage): Promise<void> {
  const { model, gateway, dice } = stage;
  if (gateway.workerEnds >= 4) return;
  const kind = dice.pick(['exit', 'throw'] as const);
  stage.note(`a worker ends (${kind})`);
  model.change(() => (model.isShaken = true));
  stage.kills.push(Date.now());
  await gateway.endWorker(kind);
  stage.kills.push(Date.now());
  await new Promise((done) => setTimeout(done, 1_000));
  model.change(() => (model.isShaken = false));
}

export async function kill(stage: Stage): Promise<void> {
  const { model, gateway, world } = stage;
  const [doc] = model.docs;
  if (doc === undefined || model.docs.length > 1) return;
  stage.note('kill -9');
  const counts = (): Map<string, number> =>
    new Map(
      ['kc', 'corp'].flatMap((id) =>
        [...twinOf(world, id).refreshesOf].map(([sub, count]) => [`${id}:${sub.slice(4)}`, count] as const),
      ),
    );
  const before = counts();
  await new Promise((done) => setTimeout(done, 1_000));
  model.change(() => (model.isShaken = true));
  stage.kills.push(Date.now());
  for (const provider of ['kc', 'corp']) stage.cameBack(provider);
  await gateway.kill();
  stage.kills.push(Date.now());
  // A refresh token that was used and not kept: the provider ends that one at the next.
  for (const [who, count] of counts())
    if (count !== before.get(who))
      model.change(() => {
        for (const one of model.sessions) {
          if (one.who !== who || one.alive === 'no') continue;
          one.alive = 'maybe';
          one.isDoubtful = true;
        }
      });
  await gateway.start(doc);
  model.change(() => (model.isShaken = false));
}

export async function createToken(stage: Stage): Promise<void> {
  const name = stage.dice.pick(['ci', 'deploy']);
  stage.note(`a token for ${name}`);
  const { token, line } = await stage.gateway.order('token.create', { name, lifetimeMs: 3_600_000 });
  stage.secrets.add(token);
  const who = `token:${name}`;
  const session = stage.addSession({ member: null, who, subject: () => who, bearer: token });
  session.key = line.id;
}

export async function revokeToken(stage: Stage): Promise<void> {
  const found = stage.alive().filter((one) => one.bearer !== null);
  if (found.length === 0) return;
  const session = stage.dice.pick(found);
  stage.note(`revokes a token of ${session.who}`);
  await ending(
    stage,
    (one) => one === session,
    async () => (await stage.gateway.order('token.revoke', { id: session.key })).revoked === 1,
  );
}

export async function revokeLink(stage: Stage): Promise<void> {
  const found = stage.alive().filter((one) => one.place !== null);
  if (found.length === 0) return;
  const session = stage.dice.pick(found);
  stage.note(`revokes ${session.who}`);
  await ending(
    stage,
    (one) => one === session,
    () => stage.gateway.order('link.revoke', { name: session.who.slice(5) }).then(() => true),
  );
}

/** Session by session, or all of a person, by the list that an operator sees. */
export async function revokeByHand(stage: Stage): Promise<void> {
  const { dice, gateway } = stage;
  const found = stage.alive().filter((one) => one.member !== null);
  if (found.length === 0) return;
  const session = dice.pick(found);
  if (dice.roll(3) === 0) {
    stage.note(`revokes all of ${session.who}`);
    await ending(stage, isOf(session.member as Member), () =>
      gateway.order('sessions.revoke', { user: session.who }).then(() => true),
    );
    return;
  }
  stage.note(`revokes session ${session.number} of ${session.who}`);
  const listed = (await gateway.order('sessions.list', {})).find(({ id }) => session.key.startsWith(id));
  if (listed === undefined) {
    if (!stage.isCrossing) stage.wrong(`session ${session.number} of ${session.who} is not listed`);
    return;
  }
  await ending(
    stage,
    (one) => one === session,
    () => gateway.order('sessions.revoke', { id: listed.id }).then(() => true),
  );
}

export async function disable(stage: Stage): Promise<void> {
  const { world, dice, gateway } = stage;
  const member = dice.pick(world.members.filter((one) => one.provider === 'local'));
  const local = stage.locals.get(member.name);
  if (local === undefined) return;
  stage.note(`${stage.who(member)} is ${local.enabled ? 'disabled' : 'enabled'}`);
  if (!local.enabled) {
    await gateway.order('user.enable', { name: member.name });
    local.enabled = true;
    return;
  }
  local.enabled = false;
  await ending(stage, isOf(member), () => gateway.order('user.disable', { name: member.name }).then(() => true));
}
