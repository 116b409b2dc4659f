/** `postern check`: every problem of the document at once, its certificates and its own tests. Changes nothing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificateReader } from '../certs/files.ts';
import { readClientAuth } from '../certs/client-auth.ts';
import { provisionCertificates } from '../certs/provision.ts';
import { entryOf } from '../certs/upload/uploads.ts';
import { fileSource } from '../control/document-source.ts';
import { prepare } from '../control/prepare.ts';
import { probeProviders } from '../control/probe-providers.ts';
import { upstreamWarnings } from '../control/upstream-warnings.ts';
import { isTerminal, print, printError } from './terminal.ts';
import type { Document } from '../config/document.ts';
import type { CertificateInventory } from '../control/certificates.ts';
import type { Prepared } from '../control/prepare.ts';

export interface CheckOptions {
  readonly config: string;
  readonly envFile?: string;
  readonly data?: string;
  /** Ask the providers, DNS and the CAs too. */
  readonly live?: true;
  readonly version: string;
}

export async function check(options: CheckOptions): Promise<void> {
  const source = fileSource({
    config: options.config,
    ...(options.envFile !== undefined && { envFile: options.envFile }),
  });
  const readCertificate = createCertificateReader();
  const inventory = await readInventory(options.data);
  const uploaded = inventory.uploads.map((chain) => entryOf(chain, ''));
  const { prepared, printed } = await prepare(
    source,
    (document) =>
      provisionCertificates(document, { readCertificate, readClientAuth, localCa: null, uploaded, now: Date.now() }),
    isTerminal(),
  );
  if (printed !== '') printError(printed);
  if (prepared === null) {
    process.exitCode = 1;
    return;
  }
  for (const warning of upstreamWarnings(prepared.document)) printError(`warning: ${warning}`);
  const { wanted } = prepared.certificates;
  const cas = [...new Set(wanted.map(({ policy }) => policy.cas[0]?.name ?? ''))].join(' and ');
  if (wanted.length > 0)
    print(`${wanted.length === 1 ? '1 certificate comes' : `${wanted.length} certificates come`} from ${cas}`);
  const { hosts, tests } = prepared.document;
  const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
  const tried = tests.length === 0 ? 'no tests' : `${count(tests.length, 'test')} passed`;
  print(`${options.config} is good: ${count(hosts.length, 'host')}, ${tried}`);
  if (options.live !== true) return;
  const isGood = [await checkProviders(prepared.document), await checkOrders(prepared, options.version, inventory)];
  if (isGood.every(Boolean)) return;
  printError('error: The document is good, but something that it relies on is not: see above');
  process.exitCode = 1;
}

/**
 * What the data folder has: of the Postern that runs, else of the files. Nothing is there before the first
 * start; and somebody who may not read the folder can still check the document.
 */
async function readInventory(dataDir: string | undefined): Promise<CertificateInventory> {
  const nothing = { uploads: [], issued: [] };
  if (dataDir === undefined || !existsSync(join(dataDir, 'postern.db'))) return nothing;
  const { runOperation } = await import('./operation.ts');
  return runOperation(dataDir, 'cert.inventory', {}).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    printError(`warning: Cannot look at the certificates of data folder "${dataDir}": ${why}`);
    return nothing;
  });
}

/** Asks DNS and the CAs what could make an order fail; loaded only where there is something to order. */
async function checkOrders(
  { document, certificates: { wanted } }: Prepared,
  version: string,
  { issued }: CertificateInventory,
): Promise<boolean> {
  if (wanted.length === 0) return true;
  const { probeCertificates } = await import('../control/probe-certificates.ts');
  const { systemCertificateProbe } = await import('../control/certificate-probe.ts');
  let isGood = true;
  for await (const { kind, message } of probeCertificates(wanted, systemCertificateProbe(document, version, issued))) {
    if (kind === 'good') print(`certificate: ${message}`);
    else printError(`${kind === 'hint' ? 'warning' : 'error'}: ${message}`);
    isGood &&= kind !== 'error';
  }
  return isGood;
}

/** Asks every provider what can be asked without a person; false where something is wrong. */
async function checkProviders(document: Document): Promise<boolean> {
  let isGood = true;
  for await (const { provider, ok, message } of probeProviders(document)) {
    if (ok) print(`provider "${provider}": ${message}`);
    else printError(`error: ${message}`);
    isGood &&= ok;
  }
  return isGood;
}
