/** What every keeper of sessions promises of logout tokens that overtake the session which they are about. */
import assert from 'node:assert/strict';
import type { Opening } from '../../sign-in/heard-logouts.ts';
import type { LogoutMemory } from '../ports.ts';
import type { KeeperRig, Promised } from './_keeper-promises.ts';

const MINUTE = 60_000;

/** A session that is being opened: the provider has just given its tokens. */
async function opening({ keeper, clock }: KeeperRig, over: Partial<Opening> = {}): Promise<Opening> {
  const heardBefore = await keeper.logouts.count();
  const startedAt = clock.at - MINUTE;
  return { subject: 'subject-1', providerSession: 'sid-1', startedAt, heardBefore, authTime: null, ...over };
}

export function logoutPromises({ promise, hearsEverywhere }: Promised): void {
  promise('logouts.cover() knows what was heard while a session was being opened', async (rig) => {
    const { keeper, clock, restart } = rig;
    const known = await opening(rig);
    const replica = await restart();
    await keeper.logouts.hear({ subject: null, providerSession: 'sid-1', issuedAt: clock.at });
    const knowing: readonly LogoutMemory[] = hearsEverywhere ? [keeper.logouts, replica.logouts] : [keeper.logouts];
    for (const logouts of knowing) {
      assert.ok((await logouts.count()) > known.heardBefore);
      assert.equal(await logouts.cover(known), true);
      assert.equal(await logouts.cover({ ...known, startedAt: clock.at + 1 }), true, 'whatever clocks say');
      assert.equal(await logouts.cover({ ...known, providerSession: 'sid-2' }), false);
      assert.equal(await logouts.cover({ ...known, providerSession: null }), false);
    }
  });

  promise('logouts.cover() knows a session without a sid by its person, and all of a person', async (rig) => {
    const { keeper, clock } = rig;
    const unnamed = await opening(rig, { providerSession: null });
    await keeper.logouts.hear({ subject: 'subject-1', providerSession: 'sid-9', issuedAt: clock.at });
    assert.equal(await keeper.logouts.cover(unnamed), true);
    assert.equal(await keeper.logouts.cover(await opening(rig)), false, 'another sid');
    await keeper.logouts.hear({ subject: 'subject-2', providerSession: null, issuedAt: clock.at });
    assert.equal(await keeper.logouts.cover(await opening(rig, { subject: 'subject-2' })), true);
    assert.equal(await keeper.logouts.cover(await opening(rig, { subject: 'subject-3' })), false);
  });

  promise('logouts.cover() lets in who signed in, or left, after what was heard', async (rig) => {
    const { keeper, clock } = rig;
    const issuedAt = clock.at;
    const early = await opening(rig);
    for (const at of [issuedAt, issuedAt - MINUTE])
      await keeper.logouts.hear({ subject: 'subject-1', providerSession: null, issuedAt: at });
    const cover = async (over: Partial<Opening>): Promise<boolean> =>
      keeper.logouts.cover(await opening(rig, { startedAt: early.startedAt, ...over }));
    assert.equal(await cover({}), true, 'a code of the session that has ended, perhaps');
    assert.equal(await cover({ authTime: issuedAt }), true, 'the later of two tokens counts');
    assert.equal(await cover({ authTime: issuedAt + 1 }), false);
    assert.equal(await cover({ startedAt: clock.at }), false);
    assert.equal(await keeper.logouts.cover({ ...early, authTime: issuedAt + 1 }), true);
  });
}
