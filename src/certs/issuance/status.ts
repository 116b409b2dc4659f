/** What people see of certificates that CAs issue: how each stands, and what an order does while it runs. */
import type { OrderProgress } from '../acme/order.ts';
import type { Issued } from './issued.ts';
import type { OrderState } from './order-state.ts';
import type { Wanted } from './wanted.ts';

/** What people see of one wanted certificate. */
export interface IssuanceStatus {
  readonly wanted: Wanted;
  readonly issued: Issued | null;
  readonly isOrdering: boolean;
  readonly progress: OrderProgress | null;
  readonly failures: number;
  readonly problem: OrderState['problem'];
  /** When it is renewed, or ordered again. */
  readonly nextAt: number;
}

export interface ProgressEvent {
  readonly subject: string;
  readonly progress:
    | OrderProgress
    | { readonly kind: 'issued' }
    | { readonly kind: 'failed'; readonly message: string };
}
