import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createEmailRules, parseEmails } from './email-rules.ts';
import type { AdmissionSettings } from '../settings.ts';

const rulesFor = (...emailDomains: string[]): ((email: string) => boolean) =>
  createEmailRules({ emailDomains, emailsFile: null, groups: [] }, () => {}).allows;

test('createEmailRules() knows a domain, what is below one, and everybody', () => {
  const plain = rulesFor('example.com');
  assert.equal(plain('alice@example.com'), true);
  assert.equal(plain('ALICE@EXAMPLE.COM'), true);
  for (const email of [
    'alice@sub.example.com',
    'alice@evilexample.com',
    'alice@example.com.evil.com',
    'example.com',
    '',
  ])
    assert.equal(plain(email), false, email);
  for (const domain of ['.example.com', '*.example.com']) {
    const below = rulesFor(domain);
    assert.equal(below('alice@sub.example.com'), true, domain);
    assert.equal(below('alice@example.com'), false, domain);
    assert.equal(below('alice@.example.com'), false, domain);
    assert.equal(below('alice@evilexample.com'), false, domain);
  }
  assert.equal(rulesFor('*')('alice@anywhere'), true);
  assert.equal(rulesFor('*')(''), false);
  assert.equal(rulesFor('@example.com')('alice@example.com'), false);
  assert.equal(rulesFor()('alice@example.com'), false);
});

test('CVE-2026-40574: createEmailRules() takes an address with exactly one "@"', () => {
  const allows = rulesFor('corp.com', '.corp.com');
  for (const email of [
    'attacker@evil.com@corp.com',
    'attacker@evil.com@sub.corp.com',
    '"a@evil.com"@corp.com',
    'a＠corp.com',
    'a@corp.com.',
    'a@corp.com\n',
    'a@evil.com\u0000@corp.com',
    '@corp.com@',
  ])
    assert.equal(allows(email), false, JSON.stringify(email));
  assert.equal(allows('a+b@corp.com'), true);
});

test('parseEmails() reads the first column, and leaves comments and empty lines out', () => {
  const text =
    '# staff\nAlice@Example.com, "Alice, A."\n\n "bob@example.com",x\r\n  carol@example.com  \n#dave@example.com\n';
  assert.deepEqual([...parseEmails(text)], ['alice@example.com', 'bob@example.com', 'carol@example.com']);
});

test('createEmailRules() reads its file again when it changes, and keeps what it had where it cannot', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'emails-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const emailsFile = join(folder, 'emails');
  writeFileSync(emailsFile, 'alice@example.com\n');
  const told: string[] = [];
  const rules = createEmailRules({ emailDomains: [], emailsFile, groups: [] }, (error) => told.push(error.code));
  t.after(() => rules.close());
  assert.equal(rules.allows('alice@example.com'), true);
  const before = rules.version();
  writeFileSync(emailsFile, 'bob@example.com\n');
  for (let i = 0; i < 600 && rules.version() === before; i++) await setTimeout(50);
  assert.equal(rules.allows('alice@example.com'), false);
  assert.equal(rules.allows('bob@example.com'), true);
  rmSync(emailsFile);
  for (let i = 0; i < 600 && told.length === 0; i++) await setTimeout(50);
  assert.deepEqual(told, ['CONFIG_UNREADABLE']);
  assert.equal(rules.allows('bob@example.com'), true);
});

test('createEmailRules() reads no list further than 64 MiB, and keeps what it had where one became longer', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'emails-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const settingsOf = (emailsFile: string): AdmissionSettings => ({ emailDomains: [], emailsFile, groups: [] });
  for (const endless of ['/dev/zero', '/dev/urandom'])
    assert.throws(() => createEmailRules(settingsOf(endless), () => {}), {
      code: 'CONFIG_UNREADABLE',
      message: `Cannot read the file of e-mail addresses "${endless}": it is longer than 64 MiB`,
    });
  const emailsFile = join(folder, 'emails');
  writeFileSync(emailsFile, 'alice@example.com\n');
  const told: string[] = [];
  const rules = createEmailRules(settingsOf(emailsFile), (error) => told.push(error.message));
  t.after(() => rules.close());
  truncateSync(emailsFile, 5 * 1024 ** 3);
  for (let i = 0; i < 600 && told.length === 0; i++) await setTimeout(50);
  assert.deepEqual(told, [`Cannot read the file of e-mail addresses "${emailsFile}": it is longer than 64 MiB`]);
  assert.equal(rules.allows('alice@example.com'), true);
});

test('createEmailRules() refuses a file that is not there at the start', () => {
  const settings = { emailDomains: [], emailsFile: '/nowhere/emails', groups: [] };
  assert.throws(() => createEmailRules(settings, () => {}), { code: 'CONFIG_UNREADABLE' });
});
