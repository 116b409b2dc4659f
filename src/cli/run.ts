/** `postern run`: the gateway in the foreground, until SIGTERM or Ctrl-C. SIGHUP reloads. */
import { closeSync, existsSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import packageFile from '../../package.json' with { type: 'json' };
import { keepCompiled } from '../core/compile-cache.ts';
import { PosternError } from '../core/errors.ts';
import { parseListenAddress } from '../config/listen-address.ts';
import { parseTarget } from '../config/upstream-url.ts';
import { fileSource, textSource } from '../control/document-source.ts';
import { EMBEDDED_HEALTH, embeddedDocument, embeddedUrls } from '../control/embedded-document.ts';
import { startGateway } from '../control/gateway.ts';
import { watchDocument } from '../control/watch-document.ts';
import type { Worker } from 'node:worker_threads';
import type { DocumentSource } from '../control/document-source.ts';
import type { Gateway } from '../control/gateway.ts';
import type { OwnedLogger } from '../core/log.ts';
import { assertAddressFree } from '../edge/address-free.ts';
import type { HostAndPort } from '../config/listen-address.ts';
import type { Fault } from '../config/reading.ts';
import { endProcess } from './end-process.ts';
import { catchSignals } from './signals.ts';
import { failWith, isTerminal, print, printError } from './terminal.ts';

export interface RunOptions {
  readonly config?: string;
  readonly envFile?: string;
  readonly data: string;
  readonly to?: string;
  readonly https: string;
  readonly watch?: true;
}

export async function run(options: RunOptions, firstThread: Worker): Promise<void> {
  const signals = catchSignals();
  const source = await sourceOf(options);
  const watcher = watchDocument(source);
  const defects = watchDefects();
  const gateway = await startGateway({
    source,
    dataDir: resolve(options.data),
    version: packageFile.version,
    isTerminal: isTerminal(),
    firstThread,
    onFatal: failWith,
  });
  defects.start(gateway.log, () => gateway.close().then(() => endProcess(1), failWith));
  const isWatching = (): boolean => options.watch === true || gateway.prepared().document.watch;
  watcher.start(isWatching, () => gateway.reload());
  const end = (signal: string): void => {
    watcher.close();
    gateway.log.info({ signal }, 'Ending: open requests are answered first');
    gateway.close().then(() => endProcess(0), failWith);
  };
  signals.handTo({
    end,
    reload() {
      if (isHungUp()) end('SIGHUP');
      else void gateway.reload();
    },
  });
  // Whoever reads that it is ready may send a signal at once.
  if (gateway.warnings !== '') printError(gateway.warnings);
  announce(gateway, options);
  keepCompiled();
}

const DEFECTS_BORNE = 10;
const DEFECT_WINDOW_MS = 60_000;

/**
 * An exception that nobody caught in this thread has spoilt one operation; visitors are served by others. It
 * is told and Postern goes on; where they come again and again it ends in order, for a clean start.
 */
function watchDefects(): { readonly start: (log: OwnedLogger, end: () => void) => void } {
  let told: OwnedLogger | null = null;
  let giveUp = (): void => endProcess(1);
  let times: number[] = [];
  process.on('uncaughtException', (error) => {
    if (told === null) {
      failWith(error);
      return;
    }
    told.error({ code: 'INTERNAL', err: error }, 'A defect was met outside of requests: Postern goes on');
    const now = performance.now();
    times = [...times.filter((at) => now - at < DEFECT_WINDOW_MS), now];
    if (times.length <= DEFECTS_BORNE) return;
    told.error({ code: 'INTERNAL' }, 'Too many defects: Postern ends, to be started again');
    times = [];
    giveUp();
  });
  return {
    start(log, end) {
      told = log;
      giveUp = end;
    },
  };
}

/** SIGHUP asks for a reload, but is also what the kernel sends when the terminal that Postern runs on is closed. */
const hadTerminal = process.stdin.isTTY;

function isHungUp(): boolean {
  if (!hadTerminal) return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    return true;
  }
}

async function sourceOf(options: RunOptions): Promise<DocumentSource> {
  if (options.config === undefined) return embeddedSource(options);
  if (options.to !== undefined) refuse('--to', 'it is for the embedded default; in a document it is "to:" of a host');
  return fileSource({ config: options.config, ...(options.envFile !== undefined && { envFile: options.envFile }) });
}

async function embeddedSource(options: RunOptions): Promise<DocumentSource> {
  if (options.envFile !== undefined) refuse('--env-file', 'it needs a document; add --config FILE');
  if (options.watch === true) refuse('--watch', 'it needs a document; add --config FILE');
  const address = parseListenAddress(options.https);
  if (!address.ok) return refuse(`--https "${options.https}"`, sentence(address));
  const to = options.to === undefined ? null : appUrl(options.to);
  const app = to === null ? null : parseTarget(to, { maps: new Set(), resolvePath: resolve });
  if (app?.ok === false) return refuse(`--to "${options.to}"`, sentence(app));
  if (existsSync('postern.yaml'))
    printError('postern: Running the embedded default; for the document in this folder add --config postern.yaml');
  await assertFree(address.value, options.https);
  const hasHealth = await isFree(EMBEDDED_HEALTH);
  if (!hasHealth) printError(`postern: Health and metrics are off: another program has port ${EMBEDDED_HEALTH.port}`);
  return textSource('embedded default', embeddedDocument({ to, https: options.https, hasHealth }));
}

/** "9001" and "localhost:9001" are plain enough. */
function appUrl(text: string): string {
  if (/^:?\d{1,5}$/.test(text)) return `http://127.0.0.1:${text.replace(':', '')}`;
  return /^[\w.-]+:\d{1,5}$/.test(text) ? `http://${text}` : text;
}

async function assertFree(address: HostAndPort, typed: string): Promise<void> {
  try {
    await assertAddressFree(address);
  } catch (error) {
    if (!(error instanceof PosternError) || error.facts['code'] !== 'EADDRINUSE') throw error;
    const remedy = `stop it ("ss -ltnp sport = :${address.port}" finds it), or take another port: --https 127.0.0.1:${address.port + 1}`;
    throw new PosternError(
      'LISTEN_FAILED',
      `Cannot listen on "${typed}": another program has it; ${remedy}`,
      {},
      error,
    );
  }
}

async function isFree(address: HostAndPort): Promise<boolean> {
  return assertAddressFree(address).then(
    () => true,
    () => false,
  );
}

function sentence({ wrong, remedy }: Fault): string {
  return remedy === null ? `it ${wrong}` : `it ${wrong}; ${remedy}`;
}

function refuse(option: string, reason: string): never {
  throw new PosternError('OPERATION_REFUSED', `Cannot use ${option}: ${reason}`);
}

function announce(gateway: Gateway, options: RunOptions): void {
  const { document } = gateway.prepared();
  const { firstLink } = gateway;
  if (options.config === undefined) {
    const urls = embeddedUrls({ to: options.to ?? null, https: options.https });
    print(`Postern is ready: ${urls.join(' and ')}`);
    print(`Sign-in host:     ${document.signIn.url}`);
    print(`Browsers warn until they trust the local CA: bin/postern ca install --data ${options.data}`);
  } else {
    const { http, https } = document.listen;
    const addresses = [...http, ...https].map(({ host, port }) => `${host ?? '*'}:${port}`).join(', ');
    // Whatever the log's level is: whoever started Postern waits for this line.
    printError(
      `Postern is ready on ${addresses}: ${count(document.hosts.length, 'host')}, ${count(gateway.workers, 'worker')}, revision ${gateway.revision()}`,
    );
  }
  if (firstLink === null) return;
  const what = `First administrator "${firstLink.name}": set a password within the hour`;
  if (firstLink.url === null) printError(`${what} by the link in ${firstLink.file} (mode 600)`);
  else print(`${what}:\n\n  ${firstLink.url}\n`);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
