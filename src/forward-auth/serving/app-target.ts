/** The address of an http or https upstream. Its path does not count: requests keep theirs. */
import { PosternError } from '../../core/errors.ts';

export interface AppAddress {
  readonly scheme: 'http' | 'https' | 'h2c';
  readonly host: string;
  readonly port: number;
}

export function parseTarget(url: string): AppAddress {
  const parsed = URL.parse(url);
  const scheme = parsed?.protocol.replace(':', '');
  if (parsed === null || (scheme !== 'http' && scheme !== 'https' && scheme !== 'h2c') || parsed.hostname === '') {
    throw new PosternError('CONFIG_INVALID', `Cannot use upstream "${url}": it is not an http or https URL`);
  }
  const usual = scheme === 'https' ? 443 : 80;
  const port = parsed.port === '' ? usual : Number(parsed.port);
  return { scheme, host: parsed.hostname, port };
}
