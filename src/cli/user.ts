/** `postern user …`: the local accounts. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { AccountSummary, LinkAnswer } from '../control/people.ts';
import { runOperation } from './operation.ts';
import { formatTime, isTerminal, print, printTable } from './terminal.ts';

interface DataOption {
  readonly data: string;
}

type Add = (usage: string, text: string) => Command;

export function addUserCommands(program: Command, dataDefault: string): void {
  const user = program.command('user').description('Local accounts: people whom Postern itself knows');
  const command: Add = (usage, text) => {
    return user.command(usage).description(text).option('--data <dir>', 'data folder', dataDefault);
  };

  command('add <name>', 'Adds a person and makes a one-time link to set a password')
    .option('--group <group>', 'a group, may be repeated', collect, [])
    .option('--email <address>', 'e-mail address')
    .option('--display-name <text>', 'name as shown to people')
    .option('--print-link', 'print the link even where the output is not a terminal')
    .action(
      async (
        name: string,
        options: DataOption & { group: string[]; email?: string; displayName?: string; printLink?: true },
      ) => {
        const { email, displayName } = options;
        const input = { name, groups: options.group, ...(email && { email }), ...(displayName && { displayName }) };
        const added = await runOperation(options.data, 'user.add', input);
        if (added.url !== null) await showLink(added, options.data, options.printLink === true);
        else {
          print(`User "${added.name}" is added, without a link yet: no sign-in host is known here`);
          print(`Start Postern once with this data folder, then: postern user link ${added.name}`);
        }
      },
    );
  command('link <name>', 'Makes a new one-time link to set a password')
    .option('--print-link', 'print the link even where the output is not a terminal')
    .action(async (name: string, options: DataOption & { printLink?: true }) => {
      await showLink(await runOperation(options.data, 'user.link', { name }), options.data, options.printLink === true);
    });
  command('list', 'Lists accounts')
    .option('--json', 'machine-readable')
    .action(async (options: DataOption & { json?: true }) => {
      const accounts = await runOperation(options.data, 'user.list', {});
      if (options.json === true) print(JSON.stringify(accounts, null, 2));
      else
        printTable([
          ['NAME', 'STATE', 'PASSWORD', '2ND FACTOR', 'GROUPS', 'E-MAIL'],
          ...accounts.map((account) => line(account)),
        ]);
    });
  command('groups <name> [groups...]', 'Sets the groups of a person; live sessions follow at once').action(
    async (name: string, groups: string[], options: DataOption) => {
      const account = await runOperation(options.data, 'user.groups', { name, groups });
      print(`User "${account.name}" is in ${account.groups.length === 0 ? 'no group' : account.groups.join(', ')}`);
    },
  );
  addStateCommands(command);
}

/** Whether somebody may come in at all, and with what. */
function addStateCommands(command: Add): void {
  command(
    'reset-factors <name>',
    'Removes second factors of somebody who has lost them, and ends every session',
  ).action(async (name: string, options: DataOption) => {
    const { name: found, removed } = await runOperation(options.data, 'user.reset-factors', { name });
    print(
      `User "${found}": ${removed === 1 ? '1 second factor' : `${removed} second factors`} removed; every session is ended`,
    );
  });
  command('disable <name>', 'Refuses sign-in and ends every session at once').action(
    async (name: string, options: DataOption) => {
      print(
        `User "${(await runOperation(options.data, 'user.disable', { name })).name}" is disabled; every session is ended`,
      );
    },
  );
  command('enable <name>', 'Lets a disabled person sign in again').action(async (name: string, options: DataOption) => {
    print(`User "${(await runOperation(options.data, 'user.enable', { name })).name}" is enabled`);
  });
  command(
    'unpin <provider:name>',
    'Lets a name of GitHub belong to another person than the one that had it first',
  ).action(async (name: string, options: DataOption) => {
    const done = await runOperation(options.data, 'user.unpin', { name });
    print(`Name "${done.name}" is free: it belongs to whoever signs in with it next`);
  });
  command('delete <name>', 'Removes a person and ends every session').action(
    async (name: string, options: DataOption) => {
      print(`User "${(await runOperation(options.data, 'user.delete', { name })).name}" is deleted`);
    },
  );
}

function line(account: AccountSummary): string[] {
  const state = account.enabled ? 'enabled' : 'disabled';
  const { secondFactors, groups, email } = account;
  const factors = secondFactors === 0 ? 'none' : String(secondFactors);
  return [account.name, state, account.hasPassword ? 'set' : 'not set', factors, groups.join(', '), email ?? ''];
}

/** A link is a credential: it goes to a person's eyes, or to a file that only this user can read. */
async function showLink(link: LinkAnswer, dataDir: string, printAlways: boolean): Promise<void> {
  const until = `valid once, until ${formatTime(link.expiresAt)} UTC`;
  if (printAlways || isTerminal()) {
    print(`Link for "${link.name}" to set a password, ${until}:\n${link.url}`);
    return;
  }
  const name = `link-${link.name.replaceAll(/[^a-z0-9._-]/g, '_')}.txt`;
  const { writeDataFile } = await import('../store/data-folder.ts');
  writeDataFile(dataDir, name, `${link.url}\n`);
  const file = join(dataDir, name);
  print(`Link for "${link.name}" to set a password, ${until}, is in "${file}" (mode 600); --print-link prints it`);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
