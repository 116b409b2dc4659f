/**
 * What is kept of an order between two tries, over restarts too: whose it is, its key, how often it
 * failed and when it may be tried again. A state that does not parse counts as none.
 */
import * as z from 'zod';

export interface OrderState {
  /** The CA that the order below is at. */
  readonly directory: string | null;
  readonly url: string | null;
  /** The certificate's private key, made before the order: whatever the CA issues in the end can be used. */
  readonly sealedKey: string | null;
  /** In a row. */
  readonly failures: number;
  /** Failed validations in a row: the next try begins with the next challenge. */
  readonly turns: number;
  readonly nextAt: number;
  /** Fingerprint of what the document asked for then; null where that is not known. */
  readonly asked: string | null;
  /** The CA wants to be left alone until then, whatever the document asks for. */
  readonly heldUntil: number;
  readonly problem: { readonly message: string; readonly at: number } | null;
}

export const NEW_ORDER: OrderState = {
  directory: null,
  url: null,
  sealedKey: null,
  failures: 0,
  turns: 0,
  nextAt: 0,
  asked: null,
  heldUntil: 0,
  problem: null,
};

const shape: z.ZodType<OrderState> = z.object({
  directory: z.string().nullable(),
  url: z.string().nullable(),
  sealedKey: z.string().nullable(),
  failures: z.number().int().nonnegative(),
  turns: z.number().int().nonnegative(),
  nextAt: z.number(),
  asked: z.string().nullable().default(null),
  heldUntil: z.number().default(0),
  problem: z.object({ message: z.string(), at: z.number() }).nullable(),
});

/**
 * What counts of it for a document that asks for something else by now: failures of before say nothing about that, and
 * whoever has mended what was wrong does not wait for hours. `directory`: of the CA that comes first.
 */
export function stateFor(state: OrderState, asked: string, directory: string): OrderState {
  if (state.asked === null || state.asked === asked) return state;
  return { ...state, asked, failures: 0, turns: 0, nextAt: state.directory === directory ? state.heldUntil : 0 };
}

/**
 * The same for a clock that ran ahead when it was written, as where a machine starts before it knows the time: what
 * was to pass by that clock passes by this one.
 */
export function atClock(state: OrderState, now: number): OrderState {
  const ahead = (state.problem?.at ?? 0) - now;
  if (state.problem === null || ahead <= 0) return state;
  const { nextAt, heldUntil, problem } = state;
  return { ...state, nextAt: nextAt - ahead, heldUntil: heldUntil - ahead, problem: { ...problem, at: now } };
}

export function parseOrderState(text: string): OrderState {
  try {
    const parsed = shape.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : NEW_ORDER;
  } catch {
    return NEW_ORDER;
  }
}
