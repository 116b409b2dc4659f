/** `custom-sign-in-logo`: a file that becomes part of the page, an address, or "-" for none. */

export type Logo =
  /** Postern's own. */
  | { readonly kind: 'own' }
  | { readonly kind: 'none' }
  /** `origins`: what a page must be allowed to load it from. */
  | { readonly kind: 'image'; readonly source: string; readonly origins: readonly string[] };

export type LogoAnswer =
  | { readonly kind: 'ok'; readonly logo: Logo }
  | { readonly kind: 'problem'; readonly message: string; readonly remedy: string };

const TYPES: Readonly<Record<string, string>> = {
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
};
/** It is in every page. */
const MAX_BYTES = 512 * 1024;

export function loadLogo(text: string | null, readFile: (path: string) => Buffer): LogoAnswer {
  if (text === null || text === '') return { kind: 'ok', logo: { kind: 'own' } };
  if (text === '-') return { kind: 'ok', logo: { kind: 'none' } };
  if (/^https?:\/\//i.test(text)) return linked(text);
  const type = TYPES[/\.[a-z]+$/i.exec(text)?.[0].toLowerCase() ?? ''];
  const named = `Cannot use logo "${text}"`;
  if (type === undefined)
    return { kind: 'problem', message: `${named}: it is no image`, remedy: `use ${Object.keys(TYPES).join(', ')}` };
  try {
    const bytes = readFile(text);
    if (bytes.length > MAX_BYTES)
      return { kind: 'problem', message: `${named}: it has ${bytes.length} bytes`, remedy: 'make it 512 KiB at most' };
    const source = `data:${type};base64,${bytes.toString('base64')}`;
    return { kind: 'ok', logo: { kind: 'image', source, origins: [] } };
  } catch (error) {
    return {
      kind: 'problem',
      message: `${named}: ${(error as Error).message}`,
      remedy: 'name a file that can be read, a URL, or "-" for none',
    };
  }
}

function linked(text: string): LogoAnswer {
  const url = URL.parse(text);
  if (url === null)
    return { kind: 'problem', message: `Cannot use logo "${text}": it is no URL`, remedy: 'check its spelling' };
  return { kind: 'ok', logo: { kind: 'image', source: url.href, origins: [url.origin] } };
}
