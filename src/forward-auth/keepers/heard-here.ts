/** Logout tokens that this process has heard, where it alone has the sessions: the embedded store, and cookies. */
import { createHeardLogouts } from '../../sign-in/heard-logouts.ts';
import type { Clock } from '../../core/clock.ts';
import type { LogoutMemory } from '../ports.ts';
import { authorityOf } from './session-key.ts';
import type { KeySettings } from './session-key.ts';

export function createHeardHere({ provider }: KeySettings, clock: Clock): LogoutMemory {
  const heard = createHeardLogouts(clock);
  const vouching = { id: provider.kind, authority: authorityOf(provider) };
  return {
    count: async () => heard.count,
    hear: async (logout) => heard.hear(vouching, logout),
    cover: async (opening) => heard.cover(vouching, opening),
  };
}
