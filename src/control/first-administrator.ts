/**
 * The first way in: an administrator without a password and a one-time link to set one. While nobody has a
 * password yet, each start makes a new link. It is printed on a terminal only, else kept in a file of mode 600.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDataFile } from '../store/data-folder.ts';
import type { Accounts } from '../session/accounts.ts';

const FILE = 'first-sign-in-link.txt';

export interface FirstLink {
  readonly name: string;
  /** Null where it was written to `file` instead. */
  readonly url: string | null;
  readonly file: string | null;
}

/** The link has done its work, or a new one counts. */
export function forgetFirstLink(dataDir: string): void {
  rmSync(join(dataDir, FILE), { force: true });
}

export async function offerFirstLink(
  accounts: Accounts,
  linkUrl: (token: string) => string | null,
  options: { readonly dataDir: string; readonly isTerminal: boolean },
): Promise<FirstLink | null> {
  const file = join(options.dataDir, FILE);
  const link = await mintFirstLink(accounts);
  const url = link === null ? null : linkUrl(link.token);
  if (link === null || url === null) {
    forgetFirstLink(options.dataDir);
    return null;
  }
  if (options.isTerminal) return { name: link.name, url, file: null };
  writeDataFile(options.dataDir, FILE, `${url}\n`);
  return { name: link.name, url: null, file };
}

async function mintFirstLink(accounts: Accounts): Promise<{ name: string; token: string } | null> {
  const first = await accounts.addFirstAdministrator();
  if (first !== null) return { name: first.account.name, token: first.link.token };
  const all = await accounts.list();
  if (all.some((account) => account.passwordHash !== null)) return null;
  const administrator = all.find((account) => account.groups.includes('admins'));
  if (administrator === undefined) return null;
  const link = await accounts.mintLink(administrator.subject, 'first start');
  return link === null ? null : { name: administrator.name, token: link.token };
}
