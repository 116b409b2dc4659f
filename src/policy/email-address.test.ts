import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseEmailAddress } from './email-address.ts';

test('parseEmailAddress() gives an address in lower case with its domain', () => {
  assert.deepEqual(parseEmailAddress('First.Last+tag@Mail.Example.COM'), {
    text: 'first.last+tag@mail.example.com',
    domain: 'mail.example.com',
  });
  assert.equal(parseEmailAddress('a@localhost')?.domain, 'localhost');
});

/** What has passed for an address of corp.example somewhere (the class of CVE-2026-40574). */
const NONE_OF_CORP: readonly string[] = [
  'attacker@evil.example@corp.example',
  'attacker@corp.example@evil.example',
  '@attacker@corp.example',
  'attacker@@corp.example',
  'attacker@evil.example%40corp.example@corp.example',
  '"attacker@evil.example"@corp.example',
  '"attacker"@corp.example',
  'attacker(@evil.example)@corp.example',
  '<attacker@evil.example>@corp.example',
  'attacker@evil.example,a@corp.example',
  'attacker@evil.example a@corp.example',
  'attacker@evil.example\n@corp.example',
  'attacker@evil.example\r\na@corp.example',
  'attacker@evil.example\u0000@corp.example',
  'attacker\uff20evil.example@corp.example\uff20',
  'attacker@evil.example\uff20corp.example',
  'attacker\ufe6bcorp.example',
  'attacker@corp.example.',
  'attacker@.corp.example',
  'attacker@corp..example',
  'attacker@c\u043erp.example',
  '\u0430ttacker@corp.example',
  'attac\u212aer@corp.example',
  'attacker@[192.0.2.1]',
  'attacker@corp.example/evil.example',
  'attacker@corp.example?evil.example',
  'attacker@corp.example:25',
  '.attacker@corp.example',
  'attacker.@corp.example',
  'at..tacker@corp.example',
  ' attacker@corp.example',
  'attacker@corp.example ',
  'attacker',
  '@corp.example',
  'attacker@',
  '@',
  '',
];

test('parseEmailAddress() takes nothing that only some read as an address of a domain', () => {
  for (const text of NONE_OF_CORP) assert.equal(parseEmailAddress(text), null, JSON.stringify(text));
});

test('parseEmailAddress() never answers a domain that is not what follows the only "@"', () => {
  const piece = fc.constantFrom(
    'a',
    // Often, so that there are two of them in many.
    ...Array.from({ length: 8 }, () => '@'),
    '.',
    '"',
    ' ',
    '\n',
    '\u0000',
    '\uff20',
    '\u212a',
    'example.com',
    'evil.com',
    '-',
    '<',
    '>',
    ',',
    '(',
    ')',
    '%',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      const address = parseEmailAddress(text);
      if (address === null) return;
      const [local, domain, ...more] = text.split('@');
      assert.deepEqual(more, []);
      assert.equal(domain?.toLowerCase(), address.domain);
      assert.match(`${local}@${domain}`, /^[\x21-\x7e]+$/);
      assert.doesNotMatch(text, /[",<>() ]|\.\.|\.$|^\.|\.@|@\./);
    }),
    { numRuns: 3_000 },
  );
});
