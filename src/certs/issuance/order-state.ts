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
  readonly problem: { readonly message: string; readonly at: number } | null;
}

export const NEW_ORDER: OrderState = {
  directory: null,
  url: null,
  sealedKey: null,
  failures: 0,
  turns: 0,
  nextAt: 0,
  problem: null,
};

const shape: z.ZodType<OrderState> = z.object({
  directory: z.string().nullable(),
  url: z.string().nullable(),
  sealedKey: z.string().nullable(),
  failures: z.number().int().nonnegative(),
  turns: z.number().int().nonnegative(),
  nextAt: z.number(),
  problem: z.object({ message: z.string(), at: z.number() }).nullable(),
});

export function parseOrderState(text: string): OrderState {
  try {
    const parsed = shape.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : NEW_ORDER;
  } catch {
    return NEW_ORDER;
  }
}
