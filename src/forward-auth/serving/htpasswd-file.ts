/**
 * The password file of Apache's htpasswd: `name:hash` a line, bcrypt or `{SHA}`, "#" begins a comment. Read
 * again when it changes; lines of other kinds are told about and count for nobody.
 */
import { watchFiles } from '../../certs/file-watch.ts';
import { PosternError } from '../../core/errors.ts';
import { MOST_LIST_BYTES, readAtMost } from '../../core/read-at-most.ts';

export interface HtpasswdFile {
  /** Name -> hashes, as `createServicePasswords` takes them. */
  readonly entries: () => ReadonlyMap<string, readonly string[]>;
  readonly close: () => void;
}

export interface HtpasswdEvents {
  /** What was read before stays. */
  readonly onUnreadable: (error: PosternError) => void;
  /** Of users whose hash is of no kind that is known; names only. */
  readonly onUnusable: (names: readonly string[]) => void;
}

export interface ParsedHtpasswd {
  readonly entries: ReadonlyMap<string, readonly string[]>;
  readonly unusable: readonly string[];
}

export const SHA_PREFIX = '{SHA}';
const BCRYPT = /^\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$/;
const SHA = /^\{SHA\}[A-Za-z0-9+/]{27}=$/;

export function parseHtpasswd(text: string): ParsedHtpasswd {
  const entries = new Map<string, readonly string[]>();
  const unusable: string[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon);
    const hash = (line.slice(colon + 1).split(':', 1)[0] as string).trim();
    if (BCRYPT.test(hash)) entries.set(name, [hash.replace(/^\$2x\$/, '$2y$')]);
    else if (SHA.test(hash)) entries.set(name, [hash]);
    else unusable.push(name);
  }
  return { entries, unusable };
}

/** Throws CONFIG_UNREADABLE where the file cannot be read at the start. */
export function openHtpasswdFile(file: string, events: HtpasswdEvents): HtpasswdFile {
  const read = (): ReadonlyMap<string, readonly string[]> => {
    const parsed = parseHtpasswd(readText(file));
    if (parsed.unusable.length > 0) events.onUnusable(parsed.unusable);
    return parsed.entries;
  };
  let entries = read();
  const watch = watchFiles({
    files: [file],
    onChange() {
      try {
        entries = read();
      } catch (error) {
        events.onUnreadable(error as PosternError);
      }
    },
  });
  return { entries: () => entries, close: () => watch.close() };
}

function readText(file: string): string {
  try {
    return readAtMost(file, MOST_LIST_BYTES).toString('utf8');
  } catch (error) {
    const message = `Cannot read the password file "${file}": ${(error as Error).message}`;
    throw new PosternError('CONFIG_UNREADABLE', message, { file }, error);
  }
}
