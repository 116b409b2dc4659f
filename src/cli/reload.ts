/** `postern reload`: as SIGHUP, but it waits and says how it went. */
import { askControl } from '../control/control-socket.ts';
import type { ReloadAnswer } from '../control/reload.ts';
import { print, printError } from './terminal.ts';

export async function reload(dataDir: string): Promise<void> {
  const answer = (await askControl(dataDir, 'reload', {})) as ReloadAnswer;
  if (answer.printed !== '') printError(answer.printed);
  if (answer.ok) print(`Reloaded: revision ${answer.revision} is live`);
  else {
    printError(`Not reloaded: revision ${answer.revision} goes on unchanged`);
    process.exitCode = 1;
  }
}
