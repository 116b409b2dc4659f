/**
 * Whose e-mail address may enter: by domain (`email-domain`) or by a file of addresses that is read again
 * when it changes; either is enough. An address has exactly one "@" (CVE-2026-40574), and case does not count.
 */
import { watchFiles } from '../../certs/file-watch.ts';
import { PosternError } from '../../core/errors.ts';
import { MOST_LIST_BYTES, readAtMost } from '../../core/read-at-most.ts';
import type { AdmissionSettings } from '../settings.ts';

export interface EmailRules {
  readonly allows: (email: string) => boolean;
  /** Changes whenever an answer may: what was derived from one is worth keeping until then. */
  readonly version: () => number;
  readonly close: () => void;
}

/** Told of a file that became unreadable; what was read before stays. */
export type TellUnreadable = (error: PosternError) => void;

/** Throws CONFIG_UNREADABLE where the file cannot be read at the start. */
export function createEmailRules(settings: AdmissionSettings, onUnreadable: TellUnreadable): EmailRules {
  const { emailsFile } = settings;
  // "*" asks for no address either: a token of a machine may name its subject in place of one.
  const isForEverybody = settings.emailDomains.includes('*');
  const isInDomain = compileDomains(settings.emailDomains);
  let listed: ReadonlySet<string> = emailsFile === null ? new Set<string>() : readEmails(emailsFile);
  let version = 0;
  const watch =
    emailsFile === null
      ? null
      : watchFiles({
          files: [emailsFile],
          onChange() {
            try {
              listed = readEmails(emailsFile);
              version++;
            } catch (error) {
              onUnreadable(error as PosternError);
            }
          },
        });
  return {
    allows(email) {
      const text = email.toLowerCase();
      if (isForEverybody || text === '') return text !== '';
      if (text.split('@').length !== 2) return false;
      return isInDomain(text.slice(text.indexOf('@') + 1)) || listed.has(text);
    },
    version: () => version,
    close: () => watch?.close(),
  };
}

/** `example.com` itself; `.example.com` and `*.example.com` only what is below it. */
function compileDomains(domains: readonly string[]): (domain: string) => boolean {
  const exact = new Set(domains.filter((domain) => !/^\*?\./.test(domain)));
  const below = domains.filter((domain) => /^\*?\./.test(domain)).map((domain) => domain.replace(/^\*/, ''));
  return (domain) =>
    exact.has(domain) || below.some((suffix) => domain.length > suffix.length && domain.endsWith(suffix));
}

/** One address a line, the first column of CSV; "#" begins a comment. */
export function parseEmails(text: string): ReadonlySet<string> {
  const emails = new Set<string>();
  for (const line of text.split('\n')) {
    if (line.trimStart().startsWith('#')) continue;
    const first = /^\s*(?:"([^"]*)"|([^,]*))/.exec(line);
    const email = (first?.[1] ?? first?.[2] ?? '').trim().toLowerCase();
    if (email !== '') emails.add(email);
  }
  return emails;
}

function readEmails(file: string): ReadonlySet<string> {
  try {
    return parseEmails(readAtMost(file, MOST_LIST_BYTES).toString('utf8'));
  } catch (error) {
    throw new PosternError(
      'CONFIG_UNREADABLE',
      `Cannot read the file of e-mail addresses "${file}": ${(error as Error).message}`,
      { file },
      error,
    );
  }
}
