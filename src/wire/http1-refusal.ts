/**
 * What a request that broke HTTP is answered: the status, the short name of the rule and the id of its line in the
 * log, nothing of its bytes.
 */
import { HeaderBlock } from './header-block.ts';
import { METHODS_TAKEN } from './http-syntax-error.ts';
import { PrintedHead } from './response-text.ts';

/** A whole answer, after which the connection is closed. */
export function refusalBytes(status: number, rule: string, id: string | null): string {
  const text = refusalText(status, rule, id);
  const framing = `Content-Length: ${text.length}\r\nConnection: close\r\n`;
  return `${new PrintedHead(refusalHead(status), framing, 2, null).text}${text}`;
}

export function refusalHead(status: number): { status: number; headers: HeaderBlock } {
  const headers = HeaderBlock.from({ 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  if (status === 405) headers.append('Allow', METHODS_TAKEN);
  return { status, headers };
}

export function refusalText(status: number, rule: string, id: string | null): string {
  return id === null ? `${status} ${rule}\n` : `${status} ${rule}\nRequest ${id}\n`;
}
