/** The provider of `bench:storm`, in a process of its own: see twin-control.ts. */
import { startTwin } from '../../src/sign-in/oidc/_twin.ts';
import { claimsOf, membersOf } from '../../test/support/crowd.ts';
import type { TwinOrder, TwinState } from './twin-control.ts';

const twin = await startTwin();
twin.expiresIn = 3_600;
let last = Promise.resolve();

function sum(counts: Iterable<number>): number {
  let all = 0;
  for (const count of counts) all += count;
  return all;
}

function most(counts: Iterable<number>): number {
  let highest = 0;
  for (const count of counts) highest = Math.max(highest, count);
  return highest;
}

async function obey(order: TwinOrder): Promise<void> {
  if (order.kind === 'people') {
    twin.people = new Map(membersOf(order.count).map((member) => [member.subject, claimsOf(member)]));
    twin.redirectUri = order.redirectUri;
  }
  if (order.kind === 'stop') await twin.stop();
  if (order.kind === 'start') await twin.start();
  const wanted = order.kind === 'tokens' ? membersOf(order.count) : [];
  const { issuer, clientId, clientSecret } = twin;
  const state: TwinState = {
    issuer,
    clientId,
    clientSecret,
    refreshed: sum(twin.refreshesOf.values()),
    most: most(twin.refreshesOf.values()),
    reused: twin.reused(),
    tokens: wanted.map(({ subject }) => twin.issueRefreshToken(subject)),
  };
  process.send?.(state);
}

process.on('message', (order: TwinOrder) => {
  last = last.then(() => obey(order));
});
