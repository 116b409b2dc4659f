/** What stands around both programs: the provider, and a Redis where it is installed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPeer } from '../../support/peers.ts';
import { freePorts } from '../../support/postern.ts';
import { accepts, startProgram, until } from '../../support/programs.ts';
import type { Around } from './pair.ts';
import { startProvider } from './provider.ts';

export async function startAround(): Promise<Around & { readonly close: () => Promise<void> }> {
  const provider = await startProvider();
  const [port = 0] = await freePorts(1);
  const dir = mkdtempSync(join(tmpdir(), 'redis-'));
  const hasRedis = findPeer('redis-server') !== null;
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir];
  const redis = hasRedis ? startProgram('redis-server', args) : null;
  if (redis !== null) await until(() => accepts(port), 'Redis listens');
  return {
    provider,
    redisPort: hasRedis ? port : null,
    async close() {
      await redis?.stop();
      await provider.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
