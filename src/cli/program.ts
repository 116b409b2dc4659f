/**
 * The command line. Knows names, options and help; what a command does is in a file of its own, loaded
 * when it runs, so that `postern run` does not wait for what only `postern install` needs.
 */
import { Command } from 'commander';
import { addCertificateCommands } from './cert.ts';
import { assertOpenFiles } from '../core/open-files.ts';
import { startWorkerThread } from '../edge/worker-thread.ts';
import { addHashPasswordCommand } from './hash-password.ts';
import { addSessionCommands } from './sessions.ts';
import { addLinkCommands } from './links.ts';
import { addTokenCommands } from './tokens.ts';
import { addUserCommands } from './user.ts';
import type { CheckOptions } from './check.ts';
import type { ExplainOptions } from './explain.ts';
import type { InstallOptions } from './install.ts';
import { assertWorkingFolder } from './working-folder.ts';
import type { PolicyDiffOptions } from './policy.ts';
import type { RunOptions } from './run.ts';

/** systemd hands a unit its state folder; by hand it is `./data`. */
function defaultData(): string {
  return process.env['POSTERN_DATA'] ?? process.env['STATE_DIRECTORY']?.split(':')[0] ?? 'data';
}

export function createProgram(version: string): Command {
  const data = defaultData();
  const program = new Command('postern')
    .description('The front door for self-hosted apps: HTTPS, single sign-on and access rules in one process.')
    .version(version)
    .showSuggestionAfterError()
    .hook('preAction', () => assertOpenFiles(null));

  program
    .command('run')
    .description('Runs the gateway; without --config on its embedded default: https://whoami.localhost:8443')
    .option('--config <file>', 'the document')
    .option('--env-file <file>', 'variables for ${NAME} in the document; read again at each reload')
    .option('--data <dir>', 'users, sessions, certificates', data)
    .option('--to <url>', 'embedded default only: your app instead of the built-in one')
    .option('--https <address>', 'embedded default only: where to listen', '127.0.0.1:8443')
    .option('--watch', 'reload when the document changes')
    .action(async (options: RunOptions) => {
      assertWorkingFolder();
      // Its workers are not known yet; one there is.
      assertOpenFiles({ count: 1, addresses: 1 });
      // First of all, so that it loads beside: a gateway has one worker at least.
      const firstThread = startWorkerThread(0);
      // Where the document is wrong nobody takes it.
      firstThread.unref();
      return (await import('./run.ts')).run(options, firstThread);
    });
  addForwardAuthCommands(program, version);
  addCheckCommand(program, data, version);
  program
    .command('reload')
    .description('Makes the running Postern read its document again; a bad one changes nothing')
    .option('--data <dir>', 'data folder of the running Postern', data)
    .action(async (options: { data: string }) => (await import('./reload.ts')).reload(options.data));
  addExplainCommand(program, data);
  addPolicyCommands(program, data);
  addConfigCommands(program);
  addUserCommands(program, data);
  addSessionCommands(program, data);
  addTokenCommands(program, data);
  addLinkCommands(program, data);
  addCertificateCommands(program, data);
  addCaCommands(program, data);
  program
    .command('keys')
    .description('Keys that assertions for apps are signed with; Postern changes them by itself every 30 days')
    .command('rotate')
    .description('Makes a new key sign at once, and the old ones stop counting: for a key that others may know')
    .option('--data <dir>', 'data folder of the running Postern', data)
    .action(async (options: { data: string }) => (await import('./keys.ts')).rotateKeys(options.data));
  addHashPasswordCommand(program);
  program
    .command('install')
    .description('Writes a hardened systemd unit and an env file of mode 600')
    .requiredOption('--config <file>', 'the document')
    .option('--root <dir>', 'write below this folder instead of /', '/')
    .option('--user <name>', 'the user that Postern runs as', 'postern')
    .option('--print', 'print the unit instead of writing files')
    .option('--force', 'replace a unit that was changed')
    .action(async (options: InstallOptions) => (await import('./install.ts')).install(options));
  pointToOwnHelp(program, 'postern');
  return program;
}

/** Behind an error stands the help of the command that was typed. */
function pointToOwnHelp(command: Command, path: string): void {
  command.showHelpAfterError(`(${path} --help shows what there is)`);
  for (const one of command.commands) pointToOwnHelp(one, `${path} ${one.name()}`);
}

function addCaCommands(program: Command, data: string): void {
  const ca = program.command('ca').description('The local certificate authority');
  ca.command('export')
    .description('Prints the root certificate, to be trusted by browsers and tools')
    .option('--data <dir>', 'data folder', data)
    .action(async (options: { data: string }) => (await import('./ca.ts')).exportRoot(options.data));
  ca.command('install')
    .description('Makes this machine trust the root: its own store (with sudo), Chrome and Firefox of this user')
    .option('--data <dir>', 'data folder', data)
    .action(async (options: { data: string }) => (await import('./ca.ts')).trustRoots('add', options.data));
  ca.command('uninstall')
    .description('Takes the root out of the stores again')
    .option('--data <dir>', 'data folder', data)
    .action(async (options: { data: string }) => (await import('./ca.ts')).trustRoots('remove', options.data));
}

/** Its flags are those of oauth2-proxy, and read as that reads them. */
function addForwardAuthCommands(program: Command, version: string): void {
  program
    .command('forward-auth')
    .description('Signs people in for nginx, Traefik, Caddy or Envoy: a drop-in for oauth2-proxy')
    .usage('[flags]')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_options: unknown, command: Command) =>
      (await import('./forward-auth.ts')).forwardAuth(command.args, version),
    );
  program
    .command('guard')
    .description('Stands before one application and signs people in, all by flags or POSTERN_* variables')
    .usage('--to URL --url URL --allow RULE [flags]')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_options: unknown, command: Command) => (await import('./guard.ts')).guard(command.args, version));
}

function addCheckCommand(program: Command, data: string, version: string): void {
  withDocument(program.command('check').description('Checks the document, its certificates and its tests'))
    .option('--data <dir>', 'data folder: certificates that were uploaded or issued', data)
    .option(
      '--live',
      'ask what it relies on too: sign-in providers (issuer, keys, secret, redirect URI, scopes), DNS and the CAs of its certificates',
    )
    .action(async (options: Omit<CheckOptions, 'version'>) =>
      (await import('./check.ts')).check({ ...options, version }),
    );
}

function addExplainCommand(program: Command, data: string): void {
  program
    .command('explain <url>')
    .description('Shows which host, route and rules decide a request, and why')
    .option('--as <who>', 'a user name, "local:user:NAME", "service:NAME", "token:NAME" or "anonymous"', 'anonymous')
    .option(
      '--group <group>',
      'a group of that person, where no running Postern knows them; may be repeated',
      collect,
      [],
    )
    .option('--role <role>', 'a role of that person; may be repeated', collect, [])
    .option('--ip <address>', 'client address')
    .option('--method <method>', 'request method', 'GET')
    .option('--header <field>', 'a header field, "Name: value"; may be repeated', collect, [])
    .option('--client-certificate <which>', 'a client certificate that verified, as rules name one: "cn=NAME"')
    .option('--config <file>', 'judge by this document instead of the running one')
    .option('--env-file <file>', 'variables for ${NAME} in the document')
    .option('--json', 'machine-readable')
    .option('--data <dir>', 'data folder of the running Postern', data)
    .action(async (url: string, options: ExplainOptions) => (await import('./explain.ts')).explain(url, options));
}

function addPolicyCommands(program: Command, data: string): void {
  program
    .command('policy')
    .description('Rules of two documents')
    .command('diff <old> <new>')
    .description('Replays an access log against a new document: whose access would change. Exits 1 where some would')
    .option('--log <file>', 'access log, JSON lines; "-" is standard input; may be repeated', collect, [])
    .option('--env-file <file>', 'variables for ${NAME} in the documents')
    .option('--people <file>', 'groups of people, as JSON; without it, those whom Postern knows now')
    .option('--json', 'machine-readable')
    .option('--data <dir>', 'data folder, for the groups of people', data)
    .action(async (before: string, after: string, options: PolicyDiffOptions) =>
      (await import('./policy.ts')).diffPolicies(before, after, options),
    );
}

function addConfigCommands(program: Command): void {
  const config = program.command('config').description('The configuration document');
  withDocument(config.command('show').description('Shows the document with every default filled in and secrets masked'))
    .option('--effective', 'the whole effective document (the default)')
    .action(async (options: CheckOptions) => (await import('./config-show.ts')).show(options));
  config
    .command('schema')
    .description('Prints the JSON Schema of the document, for editors')
    .action(async () => (await import('./config-show.ts')).schema());
}

function withDocument(command: Command): Command {
  return command
    .option('--config <file>', 'the document', 'postern.yaml')
    .option('--env-file <file>', 'variables for ${NAME} in the document');
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
