/**
 * `postern forward-auth`: signs people in for a proxy in front, from the settings of oauth2-proxy, until
 * SIGTERM or Ctrl-C. SIGHUP reads the settings again; bad ones change nothing.
 */
import { resolve } from 'node:path';
import { PosternError } from '../core/errors.ts';
import { startForwardAuth } from '../control/forward-auth.ts';
import { printDocument } from '../forward-auth/options/document/print-document.ts';
import { printFindings } from '../forward-auth/options/finding.ts';
import { printHelp } from '../forward-auth/options/help.ts';
import { loadSettings } from '../forward-auth/options/load-settings.ts';
import type { ForwardAuth } from '../control/forward-auth.ts';
import type { Loaded } from '../forward-auth/options/load-settings.ts';
import type { Settings } from '../forward-auth/settings.ts';
import { endProcess } from './end-process.ts';
import { catchSignals } from './signals.ts';
import { failWith, isTerminal, print, printError } from './terminal.ts';
import { assertWorkingFolder } from './working-folder.ts';

export async function forwardAuth(args: readonly string[], version: string): Promise<void> {
  const load = (): Loaded => loadSettings({ args, env: process.env, now: () => performance.now() });
  const loaded = load();
  const { settings, own } = loaded;
  if (own.help) {
    print(printHelp());
    return;
  }
  showFindings(loaded);
  if (settings === null) {
    process.exitCode = 1;
    return;
  }
  if (own.configTest) {
    print('configuration is valid');
    return;
  }
  if (own.printConfig) {
    print(printDocument(settings, loaded.given).trimEnd());
    return;
  }
  await serve({ settings, load, dataDir: dataFolder(own.data), version });
}

function showFindings({ findings }: Loaded): void {
  if (findings.length > 0) printError(printFindings(findings, process.stderr.isTTY).trimEnd());
}

/** systemd may hand over several; the first is ours. */
export function dataFolder(flag: string | null): string | null {
  const folder = flag ?? process.env['POSTERN_DATA'] ?? process.env['STATE_DIRECTORY']?.split(':')[0] ?? '';
  return folder === '' ? null : resolve(folder);
}

export interface ServeOptions {
  readonly settings: Settings;
  /** Reads everything again, for SIGHUP. */
  readonly load: () => Pick<Loaded, 'settings' | 'findings'>;
  readonly dataDir: string | null;
  readonly version: string;
}

export async function serve({ settings, load, dataDir, version }: ServeOptions): Promise<void> {
  assertWorkingFolder();
  if (dataDir === null && settings.store.kind === 'server')
    printError('postern: Sessions are kept in memory and end with this process; --data DIR keeps them');
  if (dataDir === null && settings.store.kind === 'stateless')
    printError(
      'postern: Which sessions were ended is kept in memory: cookies that were copied count again after a restart; --data DIR keeps it',
    );
  const signals = catchSignals();
  const running = await startForwardAuth({ settings, dataDir, version, isTerminal: isTerminal(), onFatal: failWith });
  const end = (signal: string): void => {
    running.log.info({ signal }, 'Ending: open requests are answered first');
    running.close().then(() => endProcess(0), failWith);
  };
  signals.handTo({ end, reload: () => void reload(running, load) });
}

async function reload(running: ForwardAuth, load: ServeOptions['load']): Promise<void> {
  const { log } = running;
  try {
    const { settings, findings } = load();
    for (const { severity, option, source, message, remedy } of findings)
      log[severity === 'error' ? 'error' : 'warn'](
        { code: 'CONFIG_INVALID', option, source, remedy },
        `${option} ${message}`,
      );
    if (settings === null) log.error({ code: 'CONFIG_INVALID' }, 'Settings were not read again: the old ones stay');
    else {
      await running.reload(settings);
      log.info({}, 'Settings were read again');
    }
  } catch (error) {
    const code = error instanceof PosternError ? error.code : 'INTERNAL';
    log.error({ code, err: error }, 'Settings were not read again: the old ones stay');
  }
}
