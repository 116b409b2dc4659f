/**
 * Addresses as `http-address` and `https-address` name them: "127.0.0.1:4180", ":80", "http://:80",
 * "unix:/run/x.sock" (or "unix://", with ",mode=0660"), "fd:3". Empty and "-" mean none.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { PosternError } from '../../core/errors.ts';
import { parseListenAddress } from '../../config/listen-address.ts';

export type FrontAddress =
  | { readonly kind: 'tcp'; readonly host: string | null; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number | null }
  | { readonly kind: 'fd'; readonly fd: number };

/** Throws CONFIG_INVALID; null: no listener is wanted. */
export function parseFrontAddress(text: string | null, option: string): FrontAddress | null {
  if (text === null || text === '' || text === '-') return null;
  const fd = /^fd:(\d{1,4})$/i.exec(text)?.[1];
  if (fd !== undefined) return { kind: 'fd', fd: Number(fd) };
  const unix = /^unix:(?:\/\/)?(\/[^,]+)((?:,[^,]+)*)$/.exec(text);
  if (unix !== null) return { kind: 'unix', path: unix[1] as string, mode: modeOf(unix[2] as string, option, text) };
  const read = parseListenAddress(text.replace(/^(?:https?|tcp):\/\//, ''));
  if (read.ok) return { kind: 'tcp', ...read.value };
  throw invalid(
    option,
    text,
    `it ${read.wrong}`,
    read.remedy ?? 'write "127.0.0.1:4180", ":80", "unix:/run/x.sock" or "fd:3"',
  );
}

function modeOf(options: string, option: string, text: string): number | null {
  let mode: number | null = null;
  for (const one of options.split(',').slice(1)) {
    const digits = /^mode=(0?[0-7]{3})$/.exec(one)?.[1];
    if (digits === undefined)
      throw invalid(option, text, `"${one}" is no option of a unix socket`, 'write ",mode=0660"');
    mode = Number.parseInt(digits, 8);
  }
  return mode;
}

// oxlint-disable-next-line max-params -- the parts of one message
function invalid(option: string, text: string, why: string, remedy: string): PosternError {
  return new PosternError('CONFIG_INVALID', `Cannot use ${option} "${text}": ${why}; ${remedy}`);
}

/** What a process that was killed left behind; a socket that somebody answers on stays, and listening fails. */
export async function removeStaleSocket(path: string): Promise<void> {
  try {
    if (!lstatSync(path).isSocket()) return;
  } catch {
    return;
  }
  const isAnswered = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
  if (!isAnswered) unlinkSync(path);
}

export function applyMode({ path, mode }: { readonly path: string; readonly mode: number | null }): void {
  if (mode !== null) chmodSync(path, mode);
}
