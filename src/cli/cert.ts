/** `postern cert …`: certificates, whoever they come from, and orders for them. */
import { Option, type Command } from 'commander';
import { PosternError } from '../core/errors.ts';
import { askControl } from './ask-control.ts';
import { REVOCATION_REASON_NAMES } from '../certs/acme/revocation-reasons.ts';
import type { AccountLine } from '../control/certificate-accounts.ts';
import type { OrderAnswer } from '../control/certificate-orders.ts';
import type { CertificateDetails } from '../control/certificates.ts';
import type { CertAddOptions } from './cert-add.ts';
import type { CertImportOptions } from './cert-import.ts';
import { runOperation } from './operation.ts';
import { formatTime, print, printError, printTable } from './terminal.ts';

interface DataOption {
  readonly data: string;
}

export function addCertificateCommands(program: Command, dataDefault: string): void {
  const cert = program.command('cert').description('Certificates: of CAs, uploaded, of files, local');
  addAccountCommands(cert, dataDefault);
  addBringingCommands(cert, dataDefault);
  cert
    .command('list')
    .description('Lists every certificate and every one that is still to come')
    .option('--json', 'machine-readable')
    .option('--data <dir>', 'data folder', dataDefault)
    .action(async (options: DataOption & { json?: true }) => list(options));
  cert
    .command('show <name>')
    .description('Shows the certificate of a host, or of a serial number: issuer, chain, renewal, the last failure')
    .option('--pem', 'print the chain as PEM and nothing else')
    .option('--json', 'machine-readable')
    .option('--data <dir>', 'data folder', dataDefault)
    .action(async (name: string, options: DataOption & { pem?: true; json?: true }) => show(name, options));
  cert
    .command('renew [name]')
    .description('Orders the certificate of a host now; without a name: asks the CAs and renews what is due')
    .option('--dry-run', "order at the CA's place for trials, and keep nothing")
    .option('--ca <ca>', 'with --dry-run: where to try, "letsencrypt-staging" or the URL of a directory')
    .option('--data <dir>', 'data folder of the running Postern', dataDefault)
    .action(async (name: string | undefined, options: DataOption & { dryRun?: true; ca?: string }) =>
      renew(name, options),
    );
  cert
    .command('revoke <name>')
    .description('Tells the CA that a certificate must not be trusted any more; another one is ordered at once')
    .addOption(new Option('--reason <reason>', 'why').choices(REVOCATION_REASON_NAMES).default('unspecified'))
    .option('--data <dir>', 'data folder of the running Postern', dataDefault)
    .action(async (name: string, { reason, data }: DataOption & { reason: string }) => {
      const { names } = (await askControl(data, 'cert.revoke', { name, reason })) as { names: string[] };
      print(`Revoked: ${names.join(', ')}`);
    });
  cert
    .command('remove <name>')
    .description('Forgets an uploaded certificate, or one of a CA that no host wants any more, with its key')
    .option('--data <dir>', 'data folder', dataDefault)
    .action(async (name: string, { data }: DataOption) => {
      const { names } = await runOperation(data, 'cert.remove', { name });
      print(`Removed: ${names.join(', ')}`);
    });
}

/** What operators have already: files of a CA, and what other clients ordered. */
function addBringingCommands(cert: Command, dataDefault: string): void {
  cert
    .command('add')
    .description('Checks a certificate of your own and puts it in use at once; it goes before those of CAs')
    .requiredOption('--cert <file>', 'certificate with its chain: PEM, DER, PKCS #7, or PKCS #12 with the key')
    .option('--key <file>', 'its private key, where it is not in the same file')
    .option('--password-file <file>', 'password of an encrypted key or PKCS #12 file; asked for without it')
    .option('--incomplete-chain', 'clients have the missing issuer: a CA of your own')
    .option('--json', 'machine-readable')
    .option('--data <dir>', 'data folder', dataDefault)
    .action(async (options: CertAddOptions) => (await import('./cert-add.ts')).addCertificate(options));
  cert
    .command('import <path>')
    .description('Takes over certificates and accounts of certbot, Caddy or Traefik, so that a move orders nothing')
    .addOption(
      new Option('--from <client>', 'whose they are; found out without it').choices(['certbot', 'caddy', 'traefik']),
    )
    .option('--ca <ca>', "for Traefik's file, which does not say it: the CA, by a word or its URL")
    .option('--dry-run', 'list what would be done, and change nothing')
    .option('--json', 'machine-readable')
    .option('--data <dir>', 'data folder', dataDefault)
    .action(async (path: string, options: CertImportOptions) =>
      (await import('./cert-import.ts')).importCertificates(path, options),
    );
}

function addAccountCommands(cert: Command, dataDefault: string): void {
  const account = cert.command('account').description('Accounts with CAs');
  account
    .command('list')
    .description('Lists the CAs of the document and the account with each')
    .option('--data <dir>', 'data folder of the running Postern', dataDefault)
    .action(async ({ data }: DataOption) => {
      const lines = (await askControl(data, 'cert.accounts', {})) as readonly AccountLine[];
      printTable([['CA', 'ACCOUNT'], ...lines.map(({ ca, url }) => [ca, url ?? '(none yet)'])]);
    });
  account
    .command('rotate-key [ca]')
    .description('Gives the account a new key; whoever has the old one can do nothing with it any more')
    .option('--data <dir>', 'data folder of the running Postern', dataDefault)
    .action(async (ca: string | undefined, { data }: DataOption) => {
      const answer = (await askControl(data, 'cert.rotate-account-key', { ca })) as { ca: string };
      print(`New account key at ${answer.ca}`);
    });
  account
    .command('deactivate [ca]')
    .description('Ends the account for ever; certificates stay good, and the next order makes another account')
    .option('--data <dir>', 'data folder of the running Postern', dataDefault)
    .action(async (ca: string | undefined, { data }: DataOption) => {
      const answer = (await askControl(data, 'cert.deactivate-account', { ca })) as { ca: string };
      print(`Deactivated the account at ${answer.ca}`);
    });
}

async function list(options: DataOption & { json?: true }): Promise<void> {
  const lines = await runOperation(options.data, 'cert.list', {});
  if (options.json === true) {
    print(JSON.stringify(lines, null, 2));
    return;
  }
  const rows = lines.map((one) => [
    shortNames(one.names),
    one.source,
    one.state,
    one.issuer ?? '-',
    one.keyType ?? '-',
    one.notAfter === null ? '-' : formatTime(one.notAfter),
    one.nextAt === null ? '-' : formatTime(one.nextAt),
  ]);
  printTable([['NAMES', 'FROM', 'STATE', 'ISSUER', 'KEY', 'EXPIRES (UTC)', 'NEXT'], ...rows]);
  for (const { names, problem, progress } of lines) {
    if (progress !== null) print(`${shortNames(names)}: ${progress}`);
    else if (problem !== null) print(`${shortNames(names)}: ${problem}`);
  }
}

function shortNames(names: readonly string[]): string {
  const [first = '', ...more] = names;
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}

async function show(name: string, options: DataOption & { pem?: true; json?: true }): Promise<void> {
  const it: CertificateDetails = await runOperation(options.data, 'cert.show', { name });
  if (options.json === true) {
    print(JSON.stringify(it, null, 2));
    return;
  }
  if (options.pem === true) {
    if (it.chainPem === null)
      throw new PosternError('OPERATION_REFUSED', `Cannot print the certificate of "${name}": there is none yet`);
    print(it.chainPem.trimEnd());
    return;
  }
  const time = (ms: number | null): string => (ms === null ? '-' : `${formatTime(ms)} UTC`);
  const facts: [string, string][] = [
    ['names', it.names.join(', ')],
    ['from', it.source],
    ['state', it.state],
    ['issuer', it.issuer ?? '-'],
    ['chain', it.subjects.join(' < ') || '-'],
    ['serial', it.serial ?? '-'],
    ['key', it.keyType ?? '-'],
    ['profile', it.profile ?? '-'],
    ['valid from', time(it.notBefore)],
    ['expires', time(it.notAfter)],
    ['next order', time(it.nextAt)],
    ['wish of the CA', it.window === null ? '-' : `${time(it.window.start)} to ${time(it.window.end)}`],
    ['last failure', it.problem ?? '-'],
  ];
  for (const [label, value] of facts) print(`${label.padEnd(15)} ${value}`);
  for (const { keyType, serial } of it.beside)
    print(`${'beside it'.padEnd(15)} ${keyType}, ${serial === null ? 'still to come' : `serial ${serial}`}`);
  if (it.window?.explanation !== null && it.window !== null) print(`${'why'.padEnd(15)} ${it.window.explanation}`);
}

async function renew(name: string | undefined, options: DataOption & { dryRun?: true; ca?: string }): Promise<void> {
  if (options.ca !== undefined && options.dryRun === undefined)
    throw new PosternError(
      'OPERATION_REFUSED',
      'Cannot order at another CA than the document says: --ca goes with --dry-run',
    );
  const input = { ...(name !== undefined && { name }), ...(options.ca !== undefined && { ca: options.ca }) };
  const answers = (await askControl(
    options.data,
    'cert.renew',
    { ...input, dryRun: options.dryRun === true },
    printError,
  )) as readonly OrderAnswer[];
  if (answers.length === 0) print('Nothing is due');
  for (const { names, ok, message } of answers) print(`${ok ? 'ok    ' : 'FAILED'} ${shortNames(names)}: ${message}`);
  if (answers.some((one) => !one.ok)) process.exitCode = 1;
}
