/**
 * `postern cert import`: reads what certbot, Caddy or Traefik have left, as the user who types, and hands it to the
 * running Postern, or to the data folder where none runs. Reads only: the source stays as it is.
 */
import { KNOWN_CAS } from '../config/presets/acme-cas.ts';
import { detectKind, IMPORT_KINDS, readSource, type ImportKind } from '../certs/import/read-source.ts';
import { UnusableEntry, type Found } from '../certs/import/found.ts';
import { PosternError } from '../core/errors.ts';
import { runOperation } from './operation.ts';
import { formatTime, print } from './terminal.ts';
import type { ImportAnswer, ImportLine } from '../control/imported-certificates.ts';

export interface CertImportOptions {
  readonly from?: ImportKind;
  readonly ca?: string;
  readonly dryRun?: true;
  readonly json?: true;
  readonly data: string;
}

/** What the control socket takes at once is bounded. */
const AT_ONCE = 20;

export async function importCertificates(path: string, options: CertImportOptions): Promise<void> {
  const found = read(path, options);
  const answer = await send(found, options);
  const unusable = found.unusable.map(({ place, reason }): ImportLine => ({
    place,
    state: 'skipped',
    names: [],
    notAfter: null,
    message: reason,
  }));
  const lines = { ...answer, certificates: [...answer.certificates, ...unusable] };
  if (options.json === true) print(JSON.stringify(lines, null, 2));
  else show(lines, options);
  const hasAny = [...lines.certificates, ...lines.accounts].some((line) => line.state !== 'skipped');
  if (!hasAny) process.exitCode = 1;
}

function read(path: string, options: CertImportOptions): Found {
  const kind = options.from ?? detect(path);
  const chosen = directoryNamed(options.ca);
  try {
    return readSource({ path, kind, directoryFor: (url) => chosen ?? directoryOfAccount(url) });
  } catch (error) {
    throw new PosternError('OPERATION_REFUSED', `Cannot import "${path}" as ${kind}: ${(error as Error).message}`);
  }
}

function detect(path: string): ImportKind {
  let kind: ImportKind | null;
  try {
    kind = detectKind(path);
  } catch (error) {
    const why =
      error instanceof UnusableEntry ? error.message : `"${path}" cannot be read: ${(error as Error).message}`;
    throw new PosternError('OPERATION_REFUSED', `Cannot import: ${why}`);
  }
  if (kind !== null) return kind;
  throw new PosternError(
    'OPERATION_REFUSED',
    `Cannot import "${path}": it is neither certbot's folder (renewal/, live/), nor Caddy's (certificates/), nor Traefik's acme.json; --from ${IMPORT_KINDS.join('|')} says which it should be`,
  );
}

function directoryNamed(text: string | undefined): string | null {
  if (text === undefined) return null;
  const known = KNOWN_CAS.find((ca) => ca.word === text)?.directory;
  if (known !== undefined) return known;
  if (URL.canParse(text) && new URL(text).protocol === 'https:') return text;
  const words = KNOWN_CAS.map((ca) => ca.word).join(', ');
  throw new PosternError('OPERATION_REFUSED', `Cannot use CA "${text}": write ${words}, or the URL of a directory`);
}

function directoryOfAccount(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { host } = new URL(url);
  return KNOWN_CAS.find((ca) => new URL(ca.directory).host === host)?.directory ?? null;
}

async function send(found: Found, options: CertImportOptions): Promise<ImportAnswer> {
  const dryRun = options.dryRun === true;
  let answer: ImportAnswer = await runOperation(options.data, 'cert.import', {
    certificates: [],
    accounts: found.accounts,
    dryRun,
  });
  for (let at = 0; at < found.certificates.length; at += AT_ONCE) {
    const certificates = found.certificates.slice(at, at + AT_ONCE);
    const next = await runOperation(options.data, 'cert.import', { certificates, accounts: [], dryRun });
    answer = { ...next, certificates: [...answer.certificates, ...next.certificates], accounts: answer.accounts };
  }
  return answer;
}

function show({ certificates, accounts, isRenewed }: ImportAnswer, { dryRun }: CertImportOptions): void {
  for (const line of accounts)
    print(`${stateOf(line, dryRun)}  ${line.place}${line.message === null ? '' : `: ${line.message}`}`);
  for (const line of certificates) print(`${stateOf(line, dryRun)}  ${describe(line)}`);
  const count = (state: ImportLine['state']): number => certificates.filter((line) => line.state === state).length;
  const done = dryRun === true ? 'would be imported; nothing was changed' : 'imported';
  print(`${count('imported')} ${done}, ${count('known')} known already, ${count('skipped')} skipped`);
  if (!isRenewed && count('imported') > 0)
    print('Note: they are used and renewed where the document has "acme: { email: you@example.com }"');
}

function stateOf({ state }: ImportLine, dryRun: true | undefined): string {
  return (state === 'imported' && dryRun === true ? 'would import' : state).padEnd(dryRun === true ? 12 : 8);
}

function describe({ place, names, notAfter, message }: ImportLine): string {
  const until = notAfter === null ? '' : `, good until ${formatTime(notAfter)} UTC`;
  const what = names.length === 0 ? place : `${names.join(', ')}${until} (${place})`;
  return message === null ? what : `${what}: ${message}`;
}
