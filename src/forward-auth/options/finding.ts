/**
 * What is wrong, or worth knowing, in what an operator said: by the option's name, where it was said and
 * what to write instead. All are collected and shown at once; values of secrets are never in them.
 */
export interface Finding {
  readonly severity: 'error' | 'warning';
  /** Key of the TOML file, or whatever stood in the place of a name. */
  readonly option: string;
  /** "--cookie-secret", "OAUTH2_PROXY_COOKIE_SECRET", "oauth2-proxy.cfg:12". */
  readonly source: string;
  /** Goes on from the option's name: `is 20 bytes, not 16, 24 or 32`. */
  readonly message: string;
  readonly remedy: string | null;
}

export interface Findings {
  readonly list: readonly Finding[];
  readonly add: (finding: Finding) => void;
}

export function createFindings(): Findings {
  const list: Finding[] = [];
  return { list, add: (finding) => list.push(finding) };
}

const INDENT = ' '.repeat(16);

/** Two lines each: place, word, option and what is wrong; then the remedy. */
export function printFindings(findings: readonly Finding[], isColored: boolean): string {
  const paint = (code: number, text: string): string => (isColored ? `\u001B[${code}m${text}\u001B[0m` : text);
  return findings
    .map(({ severity, option, source, message, remedy }) => {
      const word = severity === 'warning' ? paint(33, 'WARNING') : paint(31, 'CONFIG_INVALID');
      const head = `${paint(1, oneLine(source))}  ${word}  ${oneLine(option)} ${oneLine(message)}\n`;
      return remedy === null ? head : `${head}${INDENT}${oneLine(remedy)}\n`;
    })
    .join('');
}

/** What an operator wrote must not move the cursor of who reads the message. */
function oneLine(text: string): string {
  return text.replaceAll(
    /[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const LONGEST_QUOTE = 120;

/** A value in a message. */
export function quote(value: string, isSecret = false): string {
  if (isSecret) return '(secret)';
  return value.length > LONGEST_QUOTE ? `"${value.slice(0, LONGEST_QUOTE)}..."` : `"${value}"`;
}
