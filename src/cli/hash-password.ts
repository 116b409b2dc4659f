/** `postern hash-password`: turns a password into what `services:` takes. Reads it without echo, or from stdin. */
import type { Command } from 'commander';
import { PosternError } from '../core/errors.ts';
import { askPassword } from './ask-password.ts';
import { print } from './terminal.ts';

export function addHashPasswordCommand(program: Command): void {
  program
    .command('hash-password')
    .description('Prints the argon2id hash of a password, for "services:"; reads from the terminal or from stdin')
    .action(async () => {
      // Not for the start of every other command.
      const { hashPassword } = await import('../session/password-hash.ts');
      const { MAX_PASSWORD_BYTES } = await import('../session/hash-pool.ts');
      const password = process.stdin.isTTY ? await askTwice() : await readStdin();
      if (password === '') throw new PosternError('OPERATION_REFUSED', 'Cannot hash: the password is empty');
      if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
        const most = `it is longer than ${MAX_PASSWORD_BYTES} bytes, and such passwords are never checked`;
        throw new PosternError('OPERATION_REFUSED', `Cannot hash password: ${most}`);
      }
      print(hashPassword(password));
    });
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

async function askTwice(): Promise<string> {
  const first = await askPassword('Password: ');
  const second = await askPassword('Again: ');
  if (first !== second) throw new PosternError('OPERATION_REFUSED', 'Cannot hash: the two passwords differ');
  return first;
}
