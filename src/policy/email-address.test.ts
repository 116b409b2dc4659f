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

test('parseEmailAddress() never answers a domain that is not what follows the only "@"', () => {
  const piece = fc.constantFrom(
    'a',
    '@',
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
