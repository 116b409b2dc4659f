/** What the promises of keepers are tried on. */
import type { DeskKeeper } from './session-desk.ts';
import type { FakeClock, FakeSecret, SettingsOver } from './_keeper-rig.ts';

export interface KeeperRig {
  readonly keeper: DeskKeeper;
  readonly clock: FakeClock;
  readonly secret: FakeSecret;
  /** Another process with the same store and settings, or settings that differ as given. */
  readonly restart: (over?: SettingsOver) => Promise<DeskKeeper>;
  readonly close: () => Promise<void>;
}

export interface KeeperTraits {
  readonly name: string;
  readonly open: (over?: SettingsOver) => Promise<KeeperRig>;
  readonly skip?: string | false;
  /** False for sealed cookies without a store: what was copied counts elsewhere until it expires. */
  readonly revokesEverywhere: boolean;
  /** Whether another process knows of a logout token that this one has heard. */
  readonly hearsEverywhere?: boolean;
}

/** Makes a test of a promise, with a keeper of its own. */
export type MakePromise = (title: string, body: (rig: KeeperRig) => Promise<void>, over?: SettingsOver) => void;

export interface Promised {
  readonly promise: MakePromise;
  readonly revokesEverywhere: boolean;
  readonly hearsEverywhere: boolean;
}
