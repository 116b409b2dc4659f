/** What an error of the file system means to an operator, and who could help: the place, the rights or the space. */

import { MORE_OPEN_FILES } from './open-files.ts';

export interface FileTrouble {
  /** Continues "Cannot …: ". */
  readonly why: string;
  readonly remedy: 'another-place' | 'rights' | 'space' | 'open-files';
}

const TROUBLES: Readonly<Record<string, FileTrouble>> = {
  ENOENT: { why: 'it cannot be made there', remedy: 'another-place' },
  ENOTDIR: { why: 'a part of the path is not a folder', remedy: 'another-place' },
  EEXIST: { why: 'it is not a folder', remedy: 'another-place' },
  EISDIR: { why: 'a folder has that name', remedy: 'another-place' },
  ELOOP: { why: 'its symbolic links lead nowhere', remedy: 'another-place' },
  ENAMETOOLONG: { why: 'the name is too long', remedy: 'another-place' },
  EROFS: { why: 'the file system is read-only', remedy: 'another-place' },
  EACCES: { why: 'permission denied', remedy: 'rights' },
  EPERM: { why: 'not permitted', remedy: 'rights' },
  ENOSPC: { why: 'the disk is full', remedy: 'space' },
  EMFILE: { why: 'no file descriptors are left', remedy: 'open-files' },
  ENFILE: { why: 'the machine has no file descriptors left', remedy: 'open-files' },
  EDQUOT: { why: 'the disk quota is used up', remedy: 'space' },
};

/** Reason and remedy in one; `words` says what helps against a wrong place and against missing rights. */
export function fileTrouble(error: unknown, words: { readonly place: string; readonly rights: string }): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const trouble = TROUBLES[code];
  if (trouble === undefined) return `${error instanceof Error ? error.message : String(error)}; ${words.place}`;
  if (trouble.remedy === 'space') return `${trouble.why}; free some space`;
  if (trouble.remedy === 'open-files') return `${trouble.why}; ${MORE_OPEN_FILES}`;
  return `${trouble.why}; ${trouble.remedy === 'rights' ? words.rights : words.place}`;
}
