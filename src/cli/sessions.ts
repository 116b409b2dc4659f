/** `postern sessions …`: who is signed in, and ending that. */
import type { Command } from 'commander';
import { PosternError } from '../core/errors.ts';
import { runOperation } from './operation.ts';
import { formatTime, print, printTable } from './terminal.ts';

interface DataOption {
  readonly data: string;
}

export function addSessionCommands(program: Command, dataDefault: string): void {
  const sessions = program.command('sessions').description('Who is signed in');
  sessions
    .command('list')
    .description('Lists sign-ins, newest first')
    .option('--data <dir>', 'data folder', dataDefault)
    .option('--json', 'machine-readable')
    .action(async (options: DataOption & { json?: true }) => {
      const lines = await runOperation(options.data, 'sessions.list', {});
      if (options.json === true) {
        print(JSON.stringify(lines, null, 2));
        return;
      }
      const rows = lines.map((one) => {
        return [
          one.id,
          one.user,
          formatTime(one.createdAt),
          one.lastSeenAt === null ? '-' : formatTime(one.lastSeenAt),
          formatTime(one.expiresAt),
          one.hosts.join(', '),
        ];
      });
      printTable([['ID', 'USER', 'SINCE (UTC)', 'LAST SEEN', 'EXPIRES', 'HOSTS'], ...rows]);
    });
  sessions
    .command('revoke [id]')
    .description(
      'Ends a sign-in (by the id that "list" shows) or all of a person; open connections close within a second',
    )
    .option('--user <name>', 'every session of this person')
    .option('--data <dir>', 'data folder', dataDefault)
    .action(async (id: string | undefined, options: DataOption & { user?: string }) => {
      if ((id === undefined) === (options.user === undefined)) {
        throw new PosternError('OPERATION_REFUSED', 'Cannot revoke: give either a session id or --user NAME');
      }
      const input = options.user === undefined ? { id } : { user: options.user };
      const { revoked, coversUnseen = false } = await runOperation(options.data, 'sessions.revoke', input);
      const unseen = coversUnseen ? ', and all others of this person that come from browsers' : '';
      print(`Revoked ${revoked} ${revoked === 1 ? 'session' : 'sessions'}${unseen}`);
    });
}
