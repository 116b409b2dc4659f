/** `postern guard`: one application behind a sign-in, all by flags and variables, until SIGTERM or Ctrl-C. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { despiteUmask } from '../core/despite-umask.ts';
import { PosternError } from '../core/errors.ts';
import { fileTrouble } from '../core/file-trouble.ts';
import { makeFolder } from '../core/make-folder.ts';
import { printDocument } from '../forward-auth/options/document/print-document.ts';
import { printFindings } from '../forward-auth/options/finding.ts';
import { printGuardHelp } from '../forward-auth/options/guard/guard-help.ts';
import { loadGuard, readGuardChoices } from '../forward-auth/options/guard/load-guard.ts';
import { dataFolder, serve } from './forward-auth.ts';
import { print, printError } from './terminal.ts';
import type { LoadedGuard } from '../forward-auth/options/guard/load-guard.ts';

const SECRET_BYTES = 32;

export async function guard(args: readonly string[], version: string): Promise<void> {
  const choices = readGuardChoices(args, process.env);
  if (choices.help) {
    print(printGuardHelp());
    return;
  }
  const dataDir = dataFolder(choices.data);
  const isKept = dataDir !== null && !choices.check && !choices.printConfig;
  const cookieSecret = isKept ? keptSecret(dataDir) : newSecret();
  const load = (): LoadedGuard => loadGuard({ args, env: process.env, now: () => performance.now(), cookieSecret });
  const { settings, findings, given } = load();
  if (findings.length > 0) printError(printFindings(findings, process.stderr.isTTY).trimEnd());
  if (settings === null) {
    process.exitCode = 1;
    return;
  }
  if (choices.check) {
    print('configuration is valid');
    return;
  }
  if (choices.printConfig) {
    print(printDocument(settings, given, 'postern guard').trimEnd());
    return;
  }
  await serve({ settings, load, dataDir, version });
}

function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** Made once, for this folder alone: sign-ins that were begun outlast a restart. */
function keptSecret(folder: string): string {
  const file = join(folder, 'guard-cookie-secret');
  try {
    makeFolder(folder, 0o700);
    try {
      writeFileSync(file, newSecret(), { flag: 'wx', mode: 0o600 });
      despiteUmask(file, 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const secret = readFileSync(file, 'utf8').trim();
    if (Buffer.from(secret, 'base64url').length === SECRET_BYTES) return secret;
  } catch (error) {
    const why = fileTrouble(error, {
      place: 'name another folder with --data',
      rights: 'give this user the folder, or name another one with --data',
    });
    throw new PosternError('DATA_DIR_UNUSABLE', `Cannot keep the cookie secret in "${file}": ${why}`, {}, error);
  }
  throw new PosternError('DATA_DIR_UNUSABLE', `Cannot use the cookie secret in "${file}": remove the file`);
}
