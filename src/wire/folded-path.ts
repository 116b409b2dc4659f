/**
 * Which path an app might see that decodes twice, ignores case, drops ";params" or a trailing slash: only guards look at
 * it, nothing is ever routed or sent by it.
 */
const ESCAPE = /%([0-9a-fA-F]{2})/g;
const SLASH = 47;
const MOST_DECODINGS = 3;

/** The path that a lax app might see, or null where it would climb above the root. */
export function foldPath(path: string): string | null {
  if (path.includes('%') || path.includes(';')) return foldOdd(path);
  const end = path.length - 1;
  const bare = end > 0 && path.charCodeAt(end) === SLASH ? path.slice(0, end) : path;
  // No copy is made where the path has no upper-case letter.
  return bare.toLowerCase();
}

function foldOdd(path: string): string | null {
  let text = path;
  for (let i = 0; i < MOST_DECODINGS && text.includes('%'); i++) text = decodeAscii(text);
  const segments: string[] = [];
  for (const segment of text.toLowerCase().split(/[/\\]/)) {
    const semicolon = segment.indexOf(';');
    const bare = semicolon === -1 ? segment : segment.slice(0, semicolon);
    if (bare === '' || bare === '.') continue;
    if (bare !== '..') segments.push(bare);
    else if (segments.pop() === undefined) return null;
  }
  return `/${segments.join('/')}`;
}

function decodeAscii(text: string): string {
  return text.replace(ESCAPE, (escape, hex: string) => {
    const code = Number.parseInt(hex, 16);
    return code < 0x80 ? String.fromCharCode(code) : escape;
  });
}
