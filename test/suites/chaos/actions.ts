/** All of it, and how often; each says in the model what it may change before it begins. */
import {
  reload,
  expire,
  endWorker,
  kill,
  createToken,
  revokeToken,
  revokeLink,
  revokeByHand,
  disable,
} from './operators.ts';
import { enterAgain, visit, leave, openLink, changePassword, changeFactor, listen } from './people.ts';
import { backChannel, changeGroups, settleGroups, stopOrStart, rotateKeys } from './providers.ts';
import type { Stage } from './stage.ts';
import { forge, takeToken } from './bearers.ts';
import { stepUp } from './step-up.ts';
import { replay, steal } from './thieves.ts';
import type { Sockets } from './sockets.ts';

type Action = (stage: Stage, sockets: Sockets) => Promise<void>;

/** An order, and the end of all in the middle of it. */
async function cross(stage: Stage): Promise<void> {
  const action = stage.dice.pick([enterAgain, leave, backChannel, revokeByHand]);
  const disturbance = stage.dice.pick([kill, endWorker, reload, rotateKeys, stopOrStart]);
  stage.note('at once:');
  stage.isCrossing = true;
  try {
    await Promise.all([
      action(stage).catch((error: unknown) => stage.note(`broke off: ${String(error).slice(0, 80)}`)),
      disturbance(stage),
    ]);
  } finally {
    stage.isCrossing = false;
  }
  for (const session of stage.model.sessions.filter((one) => one.alive === 'maybe')) {
    await stage.settle(session);
    if (session.alive === 'no') stage.freeOf(session);
  }
}

export const ACTIONS: readonly (readonly [Action, number])[] = [
  [enterAgain, 24],
  [visit, 24],
  [listen, 10],
  [steal, 8],
  [reload, 8],
  [replay, 6],
  [changeGroups, 6],
  [takeToken, 8],
  [forge, 6],
  [stepUp, 8],
  [leave, 5],
  [backChannel, 5],
  [stopOrStart, 4],
  [createToken, 3],
  [openLink, 4],
  [revokeByHand, 3],
  [rotateKeys, 3],
  [cross, 3],
  [revokeToken, 2],
  [revokeLink, 2],
  [disable, 2],
  [changePassword, 2],
  [changeFactor, 4],
  [settleGroups, 1],
  [endWorker, 1],
  [kill, 1],
  [expire, 1],
];
