/** The promises that every keeper of sessions keeps. Each of them runs it. */
import { suite, test } from 'node:test';
import { cookiePromises } from './_cookie-promises.ts';
import { deskPromises } from './_desk-promises.ts';
import { logoutPromises } from './_logout-promises.ts';
import { sessionPromises } from './_session-promises.ts';
import type { KeeperTraits, MakePromise } from './_keeper-promises.ts';

export function keeperContract(traits: KeeperTraits): void {
  const { name, open, revokesEverywhere, hearsEverywhere = false, skip = false } = traits;
  const promise: MakePromise = (title, body, over) => {
    test(title, { skip }, async () => {
      const rig = await open(over);
      try {
        await body(rig);
      } finally {
        await rig.close();
      }
    });
  };

  suite(`${name} keeps the contract of keepers`, () => {
    for (const promises of [sessionPromises, cookiePromises, deskPromises, logoutPromises])
      promises({ promise, revokesEverywhere, hearsEverywhere });
  });
}
