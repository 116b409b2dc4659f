/**
 * What a request that broke HTTP is answered: the status, the short name of the rule and the id of its line in the
 * log, nothing of its bytes; and words for people, where a browser may send such a thing by itself.
 */
import { HeaderBlock } from './header-block.ts';
import { METHODS_TAKEN } from './http-syntax-error.ts';
import { PrintedHead } from './response-text.ts';

/** A whole answer, after which the connection is closed. */
export function refusalBytes(status: number, rule: string, id: string | null, words = ''): string {
  const text = refusalText(status, rule, id, words);
  const framing = `Content-Length: ${text.length}\r\nConnection: close\r\n`;
  return `${new PrintedHead(refusalHead(status), framing, 2, null).text}${text}`;
}

export function refusalHead(status: number): { status: number; headers: HeaderBlock } {
  const headers = HeaderBlock.from({ 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  if (status === 405) headers.append('Allow', METHODS_TAKEN);
  return { status, headers };
}

/** As bytes, one a character. `words`: lines for people, each with its end. */
export function refusalText(status: number, rule: string, id: string | null, words = ''): string {
  const told = words === '' ? '' : Buffer.from(words, 'utf8').toString('latin1');
  return `${status} ${rule}\n${told}${id === null ? '' : `Request ${id}\n`}`;
}
