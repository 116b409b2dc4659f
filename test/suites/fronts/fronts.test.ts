/**
 * Sign-in behind other proxies: each configuration of docs/forward-auth, in the real program, before a real Keycloak.
 * POSTERN_FRONTS=caddy,envoy tries these alone.
 */
import { after, before, suite } from 'node:test';
import { skipWithout } from '../../support/peers.ts';
import { browserContract } from './browser.ts';
import { frontContract } from './contract.ts';
import { DIALECTS, IN_BROWSER } from './dialects.ts';
import { startWorld } from './rig.ts';
import type { World } from './rig.ts';

const WANTED = (process.env['POSTERN_FRONTS'] ?? '').toLowerCase().split(',');
const isWanted = (name: string): boolean => WANTED.some((word) => name.toLowerCase().includes(word));

suite('Postern behind other proxies', { skip: skipWithout('kc', 'openssl') }, () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(async () => {
    await world?.close();
  });
  for (const dialect of DIALECTS) if (isWanted(dialect.name)) frontContract(dialect, () => world);
  for (const dialect of IN_BROWSER) if (isWanted(`Chromium, ${dialect.name}`)) browserContract(dialect, () => world);
});
