/** How sessions end in the model: they may from the moment of the order, and have once it is done. */
import type { Member, Session } from './model.ts';
import type { Stage } from './stage.ts';

/** Ends those of which it is true: they may end from now on, and have once the order is done. */
export async function ending(
  stage: Stage,
  whom: (session: Session) => boolean,
  order: () => Promise<boolean>,
): Promise<void> {
  const { model } = stage;
  // No session ends an access token: its provider does, its key, and its time.
  const ended = model.sessions.filter((one) => one.alive !== 'no' && one.jwt === null && whom(one));
  model.change(() => {
    for (const one of ended) one.alive = 'maybe';
  });
  const isDone = await order();
  if (isDone)
    model.change(() => {
      for (const one of ended) one.alive = 'no';
    });
  for (const one of ended) {
    if (one.alive === 'no') stage.freeOf(one);
    else await stage.settle(one);
    if (one.alive === 'no') stage.freeOf(one);
  }
}

export const isOf =
  (member: Member) =>
  (session: Session): boolean =>
    session.member === member;
