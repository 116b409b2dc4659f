/** When a CA is looked at again while it is at work (RFC 8555 sections 7.4 and 7.5.1): as it says, within reason. */
import { AcmeFailure } from './failure.ts';
import type { AcmeClient, Answer } from './client.ts';

export interface LookDeps {
  readonly client: AcmeClient;
  readonly report: (progress: { readonly kind: 'waiting'; readonly until: number }) => void;
}

/** Longest that a CA may take for one thing. Then the order waits for the next try, which takes it up again. */
const PATIENCE_MS = 5 * 60_000;
const POLL_FIRST_MS = 250;
/** A CA that needs no longer is done by then; one that does says when to ask again. Once for each thing that it does. */
export const FIRST_LOOK_MS = 100;
const POLL_MOST_MS = 10_000;
/** Longer than this is no interval between two looks. */
const LONGEST_INTERVAL_MS = 3_600_000;
const SLOW_LOOK_MS = 30_000;

/** Section 7.4: not before the time that the CA named when it began. */
export async function waitForLook(
  lookAt: number | null,
  { client, report }: LookDeps,
  signal: AbortSignal,
): Promise<void> {
  const now = client.clock.now();
  const wait = lookWait(lookAt, FIRST_LOOK_MS, now);
  if (wait > PATIENCE_MS) throw notInTime(client, lookAt);
  if (wait > POLL_MOST_MS) report({ kind: 'waiting', until: now + wait });
  await client.sleep(wait, signal);
}

/** Asks again when the CA says so, else soon at first and then more slowly. */
export async function poll<T>(
  read: () => Promise<Answer<T>>,
  isDone: (value: T) => boolean,
  { client, report }: LookDeps,
  signal: AbortSignal,
): Promise<T> {
  const { clock, sleep } = client;
  const deadline = clock.now() + PATIENCE_MS;
  for (let pause = POLL_FIRST_MS; ; pause = Math.min(pause * 1.5, POLL_MOST_MS)) {
    const { value, retryAt } = await read();
    if (isDone(value)) return value;
    const now = clock.now();
    const wait = lookWait(retryAt, pause, now);
    if (now + wait > deadline) throw notInTime(client, wait === SLOW_LOOK_MS ? null : retryAt);
    if (wait > POLL_MOST_MS) report({ kind: 'waiting', until: now + wait });
    await sleep(wait, signal);
  }
}

function notInTime(client: AcmeClient, retryAt: number | null): AcmeFailure {
  const because = `${client.name} has not come to an end in five minutes`;
  return new AcmeFailure({ kind: 'timeout', step: `finish the order at ${client.name}`, because, retryAt });
}

/**
 * Until the next look: as the CA says, else as usual. ZeroSSL says "in a day" of what takes it seconds or minutes: who
 * names a time so far away names none.
 */
function lookWait(retryAt: number | null, usual: number, now: number): number {
  const asked = retryAt === null ? 0 : retryAt - now;
  if (asked > LONGEST_INTERVAL_MS) return SLOW_LOOK_MS;
  return asked > 0 ? Math.max(asked, FIRST_LOOK_MS) : usual;
}
