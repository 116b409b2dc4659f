/** Says at the start what an operator should not leave so: a data folder in which others can put what they like. */
import { mayAnybodyWrite } from '../store/data-folder.ts';
import type { Logger } from '../core/log.ts';

export function warnOfOpenFolder(dataDir: string, log: Pick<Logger, 'warn'>): void {
  if (!mayAnybodyWrite(dataDir)) return;
  log.warn({}, `Anybody on this machine may replace accounts and keys in "${dataDir}": chmod o-w "${dataDir}"`);
}
