/**
 * A command of one's own for each change: `COMMAND… set|remove NAME VALUE`, without a shell. It gets PATH, HOME and
 * the document's `environment` and nothing else of Postern's own; exit code 0 means that it is done, and what it
 * printed stands in the error otherwise. It is ended, with all it started, when it takes too long.
 */
import type { DnsProvider } from '../dns-provider.ts';
import { duration, list, secretMap } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { runCommand } from '../run-command.ts';

const PERMISSION = 'the command can be run by the user of Postern and ends with 0';

export const exec: AnyProviderType = defineProviderType({
  type: 'exec',
  title: 'Command',
  documentation: 'dns-providers.md#the-commands-arguments',
  keys: {
    command: list('The program and its first arguments. No shell reads it.', {
      example: ['/usr/local/bin/dns-hook', '--zone=example.com'],
    }),
    environment: secretMap('Variables for the command, besides PATH and HOME.', {
      example: { API_KEY: '${DNS_API_KEY}' },
    }),
    timeout: duration('Longest run of the command.', '2m'),
  },
  permission: PERMISSION,
  triedAgainst: 'a real command',
  create: ({ command, environment = {}, timeout: timeoutMs }, tools, name): DnsProvider => {
    const env = { ...tools.environment, ...environment };
    const secrets = Object.values(environment);
    const run = (step: string, args: readonly string[], signal: AbortSignal): Promise<void> =>
      runCommand({ argv: [...command, ...args], env, timeoutMs, step, secrets }, signal);
    return {
      name,
      setTxt: (fqdn, value, signal) => run('set the record', ['set', fqdn, value], signal),
      removeTxt: (fqdn, value, signal) => run('remove the record', ['remove', fqdn, value], signal),
    };
  },
});
