/** `postern forward-auth --help`, from the table. */
import { formatGoDuration } from './go-values.ts';
import { OPTION_GROUPS } from './option.ts';
import { OPTIONS } from './option-table.ts';
import type { Option, OptionType } from './option.ts';

const WORDS: Readonly<Record<OptionType, string>> = {
  string: 'TEXT',
  list: 'LIST',
  int: 'NUMBER',
  duration: 'TIME',
  bool: '',
};
const WIDTH = 100;
const COLUMN = 34;

const OWN: readonly (readonly [flag: string, help: string])[] = [
  ['--config FILE', 'TOML file with these options'],
  ['--alpha-config FILE', 'YAML file: providers, upstreams, headers and listeners in structured form'],
  ['--env-file FILE', 'variables, as systemd reads them; wins over the environment'],
  ['--data DIR', 'where sessions are kept [$STATE_DIRECTORY; without either in memory]'],
  [
    '--session-mode MODE',
    'server: a small cookie, sessions can be ended; stateless: sealed into the cookie [server; $POSTERN_SESSION_MODE]',
  ],
  [
    '--denied-status CODE',
    'of PREFIX/auth for somebody who signed in and may not enter: 403, or 401 as oauth2-proxy [403; $POSTERN_DENIED_STATUS]',
  ],
  ['--config-test', 'check the settings, print every fault, and end'],
  ['--print-config', 'print a document for "postern run" that does the same, and end'],
  ['--help', 'print this'],
];

export function printHelp(): string {
  let text = `Usage: postern forward-auth [flags]

${fold(
  'Signs people in for nginx, Traefik, Caddy, HAProxy, Envoy or ingress-nginx, or as a proxy of its own, with the settings of oauth2-proxy 7.15.3: flags, OAUTH2_PROXY_* variables, its TOML file and its structured YAML file. Flags go before variables, variables before the file.',
  0,
)}

${fold(
  'A LIST is repeated, or its items are parted by commas. A flag without a word takes =true or =false. The variable of --some-flag is OAUTH2_PROXY_SOME_FLAG; where it is another, it is named.',
  0,
)}

Postern
${OWN.map(([flag, help]) => line(flag, help)).join('')}`;
  for (const [group, title] of Object.entries(OPTION_GROUPS)) {
    const options = OPTIONS.filter((option) => option.group === group && option.key !== 'google_group');
    text += `\n${title}\n${options.map((option) => line(flagText(option), helpText(option))).join('')}`;
  }
  return text;
}

function flagText({ flag, type, flagNeedsValue }: Option): string {
  if (type === 'bool') return flagNeedsValue ? `--${flag} true|false` : `--${flag}`;
  return `--${flag} ${WORDS[type]}`;
}

function helpText(option: Option): string {
  const { help, handling, env, flag } = option;
  let text = help;
  const usual = defaultText(option);
  if (usual !== '') text += ` [${usual}]`;
  if (env !== `OAUTH2_PROXY_${flag.toUpperCase().replaceAll('-', '_')}`) text += ` $${env}`;
  if (handling.kind === 'refused') text += ` (refused: ${handling.instead})`;
  if (handling.kind === 'without-effect') text += ' (without effect)';
  return text;
}

/** As the original shows it; "" for nothing, and for a boolean that is off. */
export function defaultText({ type, default: usual }: Pick<Option, 'type' | 'default'>): string {
  if (type === 'duration') return usual === 0 ? '' : formatGoDuration(Number(usual));
  if (type === 'int') return usual === 0 ? '' : String(usual);
  if (Array.isArray(usual)) return usual.join(',');
  return usual === false ? '' : String(usual);
}

function line(flag: string, help: string): string {
  const head = `  ${flag}`;
  const body = fold(help, COLUMN);
  // Two blanks at least, or one would read flag and help as one.
  return head.length > COLUMN - 2 ? `${head}\n${' '.repeat(COLUMN)}${body}\n` : `${head.padEnd(COLUMN)}${body}\n`;
}

/** Words in lines of a width, those after the first indented. */
function fold(text: string, indent: number): string {
  let lines = '';
  let current = '';
  for (const word of text.split(' ')) {
    if (current !== '' && indent + current.length + 1 + word.length > WIDTH) {
      lines += `${current}\n${' '.repeat(indent)}`;
      current = word;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  return lines + current;
}
