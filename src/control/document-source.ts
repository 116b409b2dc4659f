/** Where the document comes from: a file with its env file, read anew each time, or the embedded default. */
import { resolve } from 'node:path';
import { PosternError } from '../core/errors.ts';
import { FileTooLargeError, readAtMost } from '../core/read-at-most.ts';
import { NotUtf8Error, readUtf8File } from '../core/utf8-file.ts';
import { parseEnvFile } from '../config/env-file.ts';
import { loadDocument, loadDocumentInTurns } from '../config/load.ts';
import type { LoadInput, LoadResult } from '../config/load.ts';

export interface DocumentSource {
  /** What people read: the file's name, or "embedded default". */
  readonly name: string;
  /** The files to watch when asked, with those that the document named when it was read last; none for the embedded default. */
  readonly files: () => readonly string[];
  readonly read: () => LoadedSource;
  /** The same beside other work: for a reload, while visitors are served. */
  readonly readInTurns: () => Promise<LoadedSource>;
}

export interface LoadedSource {
  readonly text: string;
  readonly result: LoadResult;
}

export interface FileSourceOptions {
  readonly config: string;
  readonly envFile?: string;
}

/** How a document reaches the files it names. */
const FILES = {
  readFile: readUtf8File,
  readBytes: (path: string): Uint8Array => readAtMost(path),
};

/** Of reading beside other work, at a time. */
const TURN_MS = 5;

/** Files named by a document that are watched at most: each is looked at twice a second. */
const MAX_NAMED = 1_000;

export function fileSource(options: FileSourceOptions): DocumentSource {
  const file = resolve(options.config);
  const envFile = options.envFile === undefined ? null : resolve(options.envFile);
  const own = envFile === null ? [file] : [file, envFile];
  let named: readonly string[] = [];
  const open = (): { readonly text: string; readonly input: LoadInput; readonly done: () => void } => {
    const found = new Set<string>();
    const text = readText(file, 'document');
    const fromFile = envFile === null ? new Map<string, string>() : readEnvFile(envFile);
    const env = new Map<string, string>();
    for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env.set(name, value);
    for (const [name, value] of fromFile) env.set(name, value);
    const readFile = (path: string): string => {
      found.add(path);
      return FILES.readFile(path);
    };
    const done = (): void => {
      named = [...found].slice(0, MAX_NAMED);
    };
    return { text, input: { text, file, env, ...FILES, readFile }, done };
  };
  return {
    name: options.config,
    files: () => [...own, ...named],
    read() {
      const { text, input, done } = open();
      const result = loadDocument(input);
      done();
      return { text, result };
    },
    async readInTurns() {
      const { text, input, done } = open();
      const result = await loadDocumentInTurns(input, TURN_MS);
      done();
      return { text, result };
    },
  };
}

export function textSource(name: string, text: string): DocumentSource {
  const input = { text, file: name, env: new Map<string, string>(), ...FILES };
  return {
    name,
    files: () => [],
    read: () => ({ text, result: loadDocument(input) }),
    readInTurns: async () => ({ text, result: await loadDocumentInTurns(input, TURN_MS) }),
  };
}

function readEnvFile(path: string): ReadonlyMap<string, string> {
  const parsed = parseEnvFile(readText(path, 'env file'));
  const [first] = parsed.problems;
  if (first === undefined) return parsed.variables;
  throw new PosternError('CONFIG_UNREADABLE', `Cannot read env file "${path}": line ${first.line}: ${first.message}`);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied; let the user that runs Postern read it, and every folder above it',
  EISDIR: 'it is a folder; name the file in it',
  ENOTDIR: 'a part of the path is not a folder',
  NAMED_PIPE: 'it is a named pipe, which can be read only once and where nobody may ever write; name a regular file',
  ELOOP: 'its symbolic links lead in a circle',
};

function readText(path: string, what: string): string {
  try {
    return readUtf8File(path);
  } catch (error) {
    if (error instanceof NotUtf8Error) {
      const place = `${path}:${error.line}:${error.column}`;
      throw new PosternError('CONFIG_UNREADABLE', `Cannot read ${what} "${place}": ${error.reason}`, { path }, error);
    }
    if (error instanceof FileTooLargeError) {
      const reason = `${error.message}, so it is no ${what}; name another file`;
      throw new PosternError('CONFIG_UNREADABLE', `Cannot read ${what} "${path}": ${reason}`, { path }, error);
    }
    const { code } = error as NodeJS.ErrnoException;
    const known = (code !== undefined && REASONS[code]) || String(code);
    const isMissing = code === 'ENOENT' && what === 'document';
    const reason = isMissing ? `${known}; name yours with --config FILE` : known;
    throw new PosternError('CONFIG_UNREADABLE', `Cannot read ${what} "${path}": ${reason}`, { path }, error);
  }
}
