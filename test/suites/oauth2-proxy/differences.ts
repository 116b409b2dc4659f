/**
 * Where Postern answers otherwise than oauth2-proxy on purpose. The suite fails for a difference that is not
 * here, and for one that is here and no longer occurs. `docs/oauth2-proxy.md` prints the list.
 */
import type { Difference } from './differences/difference.ts';
import { KINDER } from './differences/kinder.ts';
import { SAFER } from './differences/safer.ts';
import { STARTS } from './differences/starting.ts';
import { WIRE } from './differences/wire.ts';

export const DIFFERENCES: readonly Difference[] = [...SAFER, ...KINDER, ...WIRE, ...STARTS];
