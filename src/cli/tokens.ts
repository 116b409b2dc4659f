/** `postern token …`: credentials of machines. */
import type { Command } from 'commander';
import { parseDuration } from '../core/durations.ts';
import { PosternError } from '../core/errors.ts';
import { runOperation } from './operation.ts';
import { formatTime, print, printError, printTable } from './terminal.ts';
import type { TokenLine } from '../control/tokens.ts';

interface DataOption {
  readonly data: string;
}

interface CreateOptions extends DataOption {
  readonly for: string;
  readonly expires: string;
  readonly description?: string;
  readonly json?: true;
}

export function addTokenCommands(program: Command, dataDefault: string): void {
  const token = program.command('token').description('Tokens of machines: "token:NAME" in rules');
  token
    .command('create')
    .description('Makes a token and prints it once, alone on standard output; only its hash is kept')
    .requiredOption('--for <name>', 'the machine: rules name it as "token:NAME"')
    .option('--expires <duration>', 'how long it works, such as 90d, or "never"', '90d')
    .option('--description <text>', 'what it is for, to read in the list')
    .option('--data <dir>', 'data folder', dataDefault)
    .option('--json', 'machine-readable, the token included')
    .action(create);
  token
    .command('list')
    .description('Lists tokens, when each was last used and when it expires; never the tokens themselves')
    .option('--data <dir>', 'data folder', dataDefault)
    .option('--json', 'machine-readable')
    .action(async (options: DataOption & { json?: true }) => {
      const lines = await runOperation(options.data, 'token.list', {});
      if (options.json === true) print(JSON.stringify(lines, null, 2));
      else
        printTable([['ID', 'FOR', 'STATE', 'CREATED (UTC)', 'LAST USED', 'EXPIRES', 'DESCRIPTION'], ...lines.map(row)]);
    });
  token
    .command('revoke [id]')
    .description(
      'Ends a token (by the id that "list" shows) or all of a machine; open connections close within a second',
    )
    .option('--for <name>', 'every token of this machine')
    .option('--data <dir>', 'data folder', dataDefault)
    .action(async (id: string | undefined, options: DataOption & { for?: string }) => {
      if ((id === undefined) === (options.for === undefined))
        throw new PosternError('OPERATION_REFUSED', 'Cannot revoke: give either a token id or --for NAME');
      const input = options.for === undefined ? { id } : { name: options.for };
      const { revoked } = await runOperation(options.data, 'token.revoke', input);
      print(`Revoked ${revoked} ${revoked === 1 ? 'token' : 'tokens'}`);
    });
}

/** What is for people goes to standard error, so that TOKEN=$(postern token create …) holds the token alone. */
async function create(options: CreateOptions): Promise<void> {
  const { description } = options;
  const lifetimeMs = options.expires === 'never' ? null : parseDuration(options.expires);
  if (lifetimeMs === null && options.expires !== 'never') {
    const message = `Cannot create token: "${options.expires}" is not a duration; write for example "90d", "12h" or "never"`;
    throw new PosternError('OPERATION_REFUSED', message);
  }
  const input = { name: options.for, lifetimeMs, ...(description !== undefined && { description }) };
  const created = await runOperation(options.data, 'token.create', input);
  if (options.json === true) {
    print(JSON.stringify({ token: created.token, ...created.line }, null, 2));
    if (created.remark !== null) printError(created.remark);
    return;
  }
  const until =
    created.line.expiresAt === null ? 'does not expire' : `expires ${formatTime(created.line.expiresAt)} UTC`;
  printError(`Token for "token:${created.line.name}", id ${created.line.id}, ${until}. It is shown this once:`);
  print(created.token);
  if (created.remark !== null) printError(created.remark);
}

function row(line: TokenLine): string[] {
  const { id, name, state, createdAt, lastUsedAt, expiresAt, description } = line;
  const used = lastUsedAt === null ? 'never' : formatTime(lastUsedAt);
  return [
    id,
    name,
    state,
    formatTime(createdAt),
    used,
    expiresAt === null ? 'never' : formatTime(expiresAt),
    description,
  ];
}
