/**
 * Which access tokens were vouched for by which key of their provider: when that key is gone, so is what workers believe of
 * them. Bounded: of those that were pushed out, a worker asks again by itself within five minutes.
 */

const MOST = 20_000;

export interface Vouched {
  /** How often keys have gone. */
  readonly count: () => number;
  /** Before it is told to a worker. False: keys have gone since the token was looked at, and it may have been by one of them. */
  readonly add: (
    key: string,
    by: { readonly provider: string; readonly kid: string | null; readonly since: number },
  ) => boolean;
  /** Forgets those of such keys, and those that do not say by which; answers them. */
  readonly end: (provider: string, kids: ReadonlySet<string>) => readonly string[];
}

export function createVouched(): Vouched {
  /** Oldest first. */
  const all = new Map<string, { readonly provider: string; readonly kid: string | null }>();
  let count = 0;
  return {
    count: () => count,
    add(key, { provider, kid, since }) {
      all.delete(key);
      all.set(key, { provider, kid });
      if (all.size > MOST) all.delete(all.keys().next().value as string);
      return since === count;
    },
    end(provider, kids) {
      count++;
      const ended = [...all].flatMap(([key, one]) =>
        one.provider === provider && (one.kid === null || kids.has(one.kid)) ? [key] : [],
      );
      for (const key of ended) all.delete(key);
      return ended;
    },
  };
}
