/** Who wants JSON, as oauth2-proxy tells: an item of Accept that is exactly that, without a weight. */
import type { HeaderBlock } from '../../wire/header-block.ts';

export function acceptsJson(headers: HeaderBlock): boolean {
  const accepted = headers.getAll('accept').flatMap((line) => line.split(','));
  return accepted.some((type) => type.trim() === 'application/json');
}
