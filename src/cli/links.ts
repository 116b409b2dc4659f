/** `postern link …`: addresses that let whoever has them in, to one place, for a while. */
import type { Command } from 'commander';
import { parseDuration } from '../core/durations.ts';
import { PosternError } from '../core/errors.ts';
import { runOperation } from './operation.ts';
import { formatTime, print, printError, printTable } from './terminal.ts';
import type { LinkLine } from '../control/links.ts';

interface DataOption {
  readonly data: string;
}

interface CreateOptions extends DataOption {
  readonly name?: string;
  readonly expires: string;
  readonly uses: string;
  readonly json?: true;
}

export function addLinkCommands(program: Command, dataDefault: string): void {
  const link = program
    .command('link')
    .description('Links for people without an account: "link" or "link:NAME" in rules');
  link
    .command('create <url>')
    .description(
      'Makes a link to a page, or with /* at its end to all below, and prints it once, signed; of its secret only the hash is kept',
    )
    .option('--name <name>', 'rules and logs name it as "link:NAME"; made up without')
    .option('--expires <duration>', 'how long it works, and what was opened by it stays open', '24h')
    .option('--uses <count>', 'how often it may be opened, or "unlimited"', '1')
    .option('--data <dir>', 'data folder', dataDefault)
    .option('--json', 'machine-readable, the link included')
    .action(create);
  link
    .command('list')
    .description(
      'Lists links, how often each may still be opened, when it expires, and which are not signed as they stand; never their secrets',
    )
    .option('--data <dir>', 'data folder', dataDefault)
    .option('--json', 'machine-readable')
    .action(async (options: DataOption & { json?: true }) => {
      const lines = await runOperation(options.data, 'link.list', {});
      if (options.json === true) print(JSON.stringify(lines, null, 2));
      else printTable([['NAME', 'STATE', 'LEFT', 'EXPIRES (UTC)', 'LAST OPENED', 'PLACE'], ...lines.map(row)]);
    });
  link
    .command('revoke <name>')
    .description('Ends a link and everything that was opened by it, within a second')
    .option('--data <dir>', 'data folder', dataDefault)
    .action(async (name: string, options: DataOption) => {
      await runOperation(options.data, 'link.revoke', { name });
      print(`Revoked link:${name}`);
    });
}

/** What is for people goes to standard error, so that LINK=$(postern link create …) holds the link alone. */
async function create(url: string, options: CreateOptions): Promise<void> {
  const lifetimeMs = parseDuration(options.expires);
  if (lifetimeMs === null) throw refusal(`"${options.expires}" is not a duration; write for example "24h" or "7d"`);
  const uses = options.uses === 'unlimited' ? null : Number(options.uses);
  if (uses !== null && !/^[1-9]\d{0,8}$/.test(options.uses))
    throw refusal(`"${options.uses}" is not a count; write for example "1", "10" or "unlimited"`);
  const name = options.name === undefined ? {} : { name: options.name };
  const created = await runOperation(options.data, 'link.create', { url, lifetimeMs, uses, ...name });
  if (options.json === true) {
    print(JSON.stringify({ url: created.url, ...created.line }, null, 2));
    return;
  }
  const { line } = created;
  const often =
    line.usesLeft === null ? 'as often as wanted' : `${line.usesLeft} ${line.usesLeft === 1 ? 'time' : 'times'}`;
  if (new URL(url).search !== '')
    printError(
      `The link opens ${line.place} with any query, not only the one given: an app that tells pages apart by it shows them all.`,
    );
  printError(
    `link:${line.name} opens ${line.place} ${often}, until ${formatTime(line.expiresAt)} UTC. It is shown this once:`,
  );
  print(created.url);
}

function row({ name, state, usesLeft, expiresAt, lastUsedAt, place }: LinkLine): string[] {
  const left = usesLeft === null ? 'unlimited' : String(usesLeft);
  return [name, state, left, formatTime(expiresAt), lastUsedAt === null ? 'never' : formatTime(lastUsedAt), place];
}

function refusal(why: string): PosternError {
  return new PosternError('OPERATION_REFUSED', `Cannot create link: ${why}`);
}
