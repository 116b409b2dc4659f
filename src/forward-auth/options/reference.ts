/** docs/reference/oauth2-proxy-options.md, from the table. */
import { defaultText } from './help.ts';
import { OPTION_GROUPS } from './option.ts';
import { OPTIONS } from './option-table.ts';
import type { Handling, Option } from './option.ts';

export function printOptionReference(): string {
  const count = (kind: Handling['kind']): number => OPTIONS.filter(({ handling }) => handling.kind === kind).length;
  let text = `# Options of oauth2-proxy

Generated from \`src/forward-auth/options\` by \`scripts/generate-docs.ts\`; edits here are lost.

\`postern forward-auth\` reads the settings of oauth2-proxy 7.15.3: flags, \`OAUTH2_PROXY_*\` variables, its TOML file (\`--config\`) and its structured file (\`--alpha-config\`). Of its ${OPTIONS.length} options
${count('honoured')} do what they do there, ${count('without-effect')} are taken and have no effect (a warning says why), ${count('refused')} are refused with a line that says what to do instead. A flag or key that nobody
knows is an error, a variable a warning, and an error where it looks like a rule about who may enter.

Flags go before variables, variables before the file. A list is a flag that is repeated, or items parted by commas (as CSV in flags, so that quotes around an item are no part of it; without quotes in variables),
or an array of the file. Durations are Go's: \`168h\`, \`15m\`, \`1h30m\`. \`--env-file FILE\` reads variables as systemd does. Files of secrets are read again when they change; SIGHUP reads everything again,
and the new settings count from the next request on, for open WebSockets and streams too; bad ones change nothing. Addresses, cookies, the session store, logs and another provider take a restart: a line of the log says so.

`;
  for (const [group, title] of Object.entries(OPTION_GROUPS)) {
    const rows = OPTIONS.filter((option) => option.group === group).map(printRow);
    text += `## ${title}\n\n| flag | key of the file, variable | default | what it does |\n| --- | --- | --- | --- |\n${rows.join('')}\n`;
  }
  return `${text.trimEnd()}\n`;
}

const TYPES: Readonly<Record<Option['type'], string>> = {
  string: '',
  bool: '',
  list: ' (list)',
  int: ' (number)',
  duration: ' (duration)',
};

function printRow(option: Option): string {
  const { flag, key, env, type } = option;
  const usual = type === 'bool' ? String(option.default) : defaultText(option);
  const cells = [
    `\`--${flag}\`${TYPES[type]}`,
    `\`${key}\`<br>\`${env}\``,
    usual === '' ? '' : `\`${usual}\``,
    `${capital(option.help)}.${handlingText(option)}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |\n`;
}

function handlingText({ handling, providers }: Option): string {
  const only = providers === null ? '' : ` With ${providers.map((one) => `\`${one}\``).join(', ')}.`;
  switch (handling.kind) {
    case 'honoured':
      return only + (handling.note === null ? '' : ` ${handling.note}`);
    case 'without-effect':
      return `${only} **No effect**: ${handling.why}.`;
    case 'refused':
      return `${only} **Refused**: ${handling.instead}.`;
    default:
      return handling satisfies never;
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
