/** One run: so many steps of one seed, with requests of everybody all the while, and the books compared at the end. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { addUser } from '../../support/postern.ts';
import { Dice } from '../../support/dice.ts';
import { ACTIONS } from './actions.ts';
import { compareBooks, compareLists } from './audit.ts';
import { reload } from './operators.ts';
import { settleGroups } from './providers.ts';
import { Gateway } from './gateway.ts';
import { Model } from './model.ts';
import { tellProviders } from './sign-in.ts';
import { Sockets } from './sockets.ts';
import { Stage } from './stage.ts';
import { HOME, HOSTS, STEPS, firstDoc, openWorld } from './world.ts';

/** A machine on which each takes seconds is asked as much, for longer. */
const LEAST_STEPS = 10;

export interface RunOptions {
  readonly seed: string;
  /** Left out: as many as fit into the time. */
  readonly steps?: number;
  readonly browsers: number;
  /** One cookie for ".corp.test". */
  readonly isShared: boolean;
  readonly untilMs?: number;
  readonly tell?: (line: string) => void;
}

export interface RunResult {
  readonly violations: readonly string[];
  readonly asked: number;
  readonly steps: number;
  readonly sockets: number;
  readonly slowestMs: number;
  readonly memory: readonly number[];
  readonly history: readonly string[];
}

export async function run(options: RunOptions): Promise<RunResult> {
  const dice = new Dice(options.seed);
  const world = await openWorld();
  const domain = options.isShared ? '.corp.test' : null;
  const gateway = new Gateway(world, domain);
  const doc = firstDoc(dice);
  const stage = new Stage({ world, gateway, model: new Model(doc, domain), dice }, options.browsers);
  const sockets = new Sockets(stage);
  const memory: number[] = [];
  let steps = 0;
  try {
    await gateway.start(doc);
    await prepare(stage);
    const ending = new AbortController();
    const others = [0, 1].map((at) => knock(stage, ending.signal, new Dice(`${options.seed}/${at}`)));
    const deadline = Date.now() + (options.untilMs ?? Number.POSITIVE_INFINITY);
    try {
      for (
        ;
        steps < (options.steps ?? Number.POSITIVE_INFINITY) &&
        (steps < LEAST_STEPS || Date.now() < deadline) &&
        stage.violations.length === 0;
        steps++
      ) {
        const action = dice.weighed(ACTIONS);
        await action(stage, sockets).catch((error: unknown) => {
          stage.wrong(`${action.name} broke off: ${error instanceof Error ? error.stack : String(error)}`);
        });
        sockets.look();
        if (steps % 20 === 19) {
          await compareLists(stage);
          memory.push(memoryOf(gateway.process.child.pid ?? 0));
          options.tell?.(
            `step ${steps + 1}: ${stage.asked} asked, ${stage.alive().length} signed in, ${memory.at(-1)} MB`,
          );
        }
      }
      for (const provider of stage.away) await (provider === 'kc' ? world.kc : world.corp).start();
      stage.away.clear();
      if (stage.violations.length === 0) {
        await reload(stage);
        await settleGroups(stage);
        for (const session of stage.model.sessions) await stage.ask(session, session.place ?? HOME);
        await compareLists(stage);
      }
    } finally {
      ending.abort();
      await Promise.all(others);
    }
    sockets.close();
    stage.close();
    const code = await gateway.close();
    if (code !== 0) stage.wrong(`it ended with ${code}`);
    compareBooks(stage);
  } finally {
    sockets.close();
    stage.close();
    await gateway.close();
    await world.close();
  }
  return {
    violations: stage.violations,
    asked: stage.asked,
    steps,
    sockets: sockets.opened,
    slowestMs: sockets.slowestMs,
    memory,
    history: stage.history,
  };
}

async function prepare(stage: Stage): Promise<void> {
  const { world, model, gateway } = stage;
  for (const member of world.members)
    model.groups.set(stage.who(member), [world.groupsOf.get(stage.who(member)) ?? []]);
  tellProviders(world);
  for (const { clientSecret } of [world.kc, world.corp, world.github]) stage.secrets.add(clientSecret);
  for (const member of world.members.filter((one) => one.provider === 'local')) {
    const password = await addUser(gateway.process, member.name, world.groupsOf.get(stage.who(member)));
    stage.secrets.add(password);
    stage.locals.set(member.name, { password, recovery: null, enabled: true });
  }
  // `addUser` signed in by the link that it used.
  for (const { id } of await gateway.order('sessions.list', {})) await gateway.order('sessions.revoke', { id });
}

/** Requests without end, of whoever is in or ever was. */
async function knock(stage: Stage, signal: AbortSignal, dice: Dice): Promise<void> {
  while (!signal.aborted) {
    const { sessions } = stage.model;
    const recent = dice.roll(3) === 0 ? sessions : sessions.slice(-12);
    const session = recent.length === 0 ? null : dice.pick(recent);
    const known = session === null ? [] : [...session.cookies.keys()];
    const host = known.length === 0 || dice.roll(4) === 0 ? dice.pick([...HOSTS, ...STEPS]) : dice.pick(known);
    const seen = await stage.ask(session, host);
    await sleep(seen.outcome === 'failed' ? 100 : 15);
  }
}

function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}
