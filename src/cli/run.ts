/** `postern run`: the gateway in the foreground, until SIGTERM or Ctrl-C. SIGHUP reloads. */
import { resolve } from 'node:path';
import packageFile from '../../package.json' with { type: 'json' };
import { fileSource, textSource } from '../control/document-source.ts';
import { embeddedDocument, embeddedUrls } from '../control/embedded-document.ts';
import { startGateway } from '../control/gateway.ts';
import { watchDocument } from '../control/watch-document.ts';
import type { DocumentSource } from '../control/document-source.ts';
import type { Gateway } from '../control/gateway.ts';
import { failWith, isTerminal, print, printError } from './terminal.ts';

export interface RunOptions {
  readonly config?: string;
  readonly envFile?: string;
  readonly data: string;
  readonly to?: string;
  readonly https: string;
  readonly watch?: true;
}

export async function run(options: RunOptions): Promise<void> {
  const source = sourceOf(options);
  const gateway = await startGateway({
    source,
    dataDir: resolve(options.data),
    version: packageFile.version,
    isTerminal: isTerminal(),
    onFatal: failWith,
  });
  if (gateway.warnings !== '') printError(gateway.warnings);
  announce(gateway, options);
  const watch = options.watch === true || gateway.prepared().document.watch ? watchDocument(source, gateway) : null;
  process.on('SIGHUP', () => void gateway.reload());
  const end = (signal: string): void => {
    watch?.close();
    gateway.log.info({ signal }, 'Ending: open requests are answered first');
    gateway.close().then(() => process.exit(0), failWith);
  };
  process.once('SIGTERM', () => end('SIGTERM'));
  process.once('SIGINT', () => {
    end('SIGINT');
    process.once('SIGINT', () => process.exit(130));
  });
}

function sourceOf(options: RunOptions): DocumentSource {
  if (options.config !== undefined)
    return fileSource({ config: options.config, ...(options.envFile !== undefined && { envFile: options.envFile }) });
  return textSource('embedded default', embeddedDocument({ to: options.to ?? null, https: options.https }));
}

function announce(gateway: Gateway, options: RunOptions): void {
  const { document } = gateway.prepared();
  const { firstLink } = gateway;
  if (options.config === undefined) {
    const urls = embeddedUrls({ to: options.to ?? null, https: options.https });
    print(`Postern is ready: ${urls.join(' and ')}`);
    print(`Sign-in host:     ${document.signIn.url}`);
    print(`Browsers warn until they trust the local CA: bin/postern ca export --data ${options.data} > postern-ca.pem`);
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
