import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  dns01Record,
  dnsAccount01Record,
  dnsPersist01Record,
  findPersistRecord,
  type PersistInput,
} from './challenge-record.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const ISSUERS = ['authority.example', 'ca.example.net'];
const ACCOUNT = 'https://ca.example/acct/123';
const WANTED = { issuerDomainNames: ISSUERS, accountUri: ACCOUNT, needsWildcard: false, now: NOW };
const INPUT: PersistInput = {
  domain: 'example.com',
  issuerDomainNames: ISSUERS,
  accountUri: ACCOUNT,
  coversSubdomains: false,
  persistUntil: null,
};

test('dns01Record() gives a name and its wildcard the same record name', () => {
  const { name, value } = dns01Record('example.com', 'token.thumbprint');
  assert.equal(name, '_acme-challenge.example.com');
  assert.equal(dns01Record('*.example.com', 'x').name, name);
  // printf token.thumbprint | openssl dgst -sha256 -binary | basenc --base64url
  assert.equal(value, '61rBZ_4knHblO0MNoxFsXZ_eTFUHum0B6IVRbhvUn5I');
});

test('dnsAccount01Record() has the label of the draft’s example', () => {
  const { name } = dnsAccount01Record(
    '*.example.org',
    'token.thumbprint',
    'https://example.com/acme/acct/ExampleAccount',
  );
  assert.equal(name, '_ujmmovf2vn55tgye._acme-challenge.example.org');
});

test('dnsPersist01Record() writes the records of the draft', () => {
  assert.deepEqual(dnsPersist01Record(INPUT), {
    name: '_validation-persist.example.com',
    value: 'authority.example; accounturi=https://ca.example/acct/123',
  });
  const whole = { ...INPUT, domain: '*.example.com', persistUntil: 1_767_225_600_999 };
  assert.equal(
    dnsPersist01Record(whole).value,
    'authority.example; accounturi=https://ca.example/acct/123; policy=wildcard; persistUntil=1767225600',
  );
});

test('dnsPersist01Record() refuses a malformed challenge', () => {
  for (const issuerDomainNames of [
    [],
    Array.from({ length: 11 }, (_, index) => `ca${index}.example`),
    ['CA.example'],
    ['ca.example.'],
    ['ca.example; policy=wildcard'],
    ['x'.repeat(254)],
  ])
    assert.throws(() => dnsPersist01Record({ ...INPUT, issuerDomainNames }), RangeError);
  assert.throws(
    () => dnsPersist01Record({ ...INPUT, accountUri: 'https://ca.example/a; policy=wildcard' }),
    RangeError,
  );
});

test('findPersistRecord() finds what dnsPersist01Record() wrote, for as long as it lasts', () => {
  const input = fc.record({
    coversSubdomains: fc.boolean(),
    persistUntil: fc.option(fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000)),
  });
  fc.assert(
    fc.property(input, fc.boolean(), ({ coversSubdomains, persistUntil }, needsWildcard) => {
      const { value } = dnsPersist01Record({ ...INPUT, coversSubdomains, persistUntil });
      const isGood = (coversSubdomains || !needsWildcard) && (persistUntil === null || persistUntil >= NOW);
      assert.equal(
        findPersistRecord(['v=spf1 -all', value], { ...WANTED, needsWildcard }).kind,
        isGood ? 'good' : 'none',
      );
    }),
  );
});

test('findPersistRecord() says why a record does not count, and passes over those of others', () => {
  const reasonOf = (text: string, more: Partial<typeof WANTED> = {}): string | undefined => {
    const finding = findPersistRecord([text], { ...WANTED, ...more });
    return finding.kind === 'good' ? 'good' : finding.reasons[0]?.replace('the record of "authority.example" ', '');
  };
  assert.equal(reasonOf('other.example; accounturi=x'), undefined);
  assert.equal(reasonOf('authority.example'), 'has no "accounturi"');
  assert.equal(reasonOf('authority.example; accounturi=https://ca.example/acct/9'), 'is for another account');
  assert.equal(
    reasonOf(`authority.example; accounturi=${ACCOUNT}`, { needsWildcard: true }),
    'has no "policy=wildcard"',
  );
  assert.equal(
    reasonOf(`authority.example; accounturi=${ACCOUNT}; policy=other`, { needsWildcard: true }),
    'has no "policy=wildcard"',
  );
  assert.equal(
    reasonOf(`authority.example; accounturi=${ACCOUNT}; persistUntil=1000`),
    'ended at 1970-01-01T00:16:40.000Z',
  );
  assert.equal(
    reasonOf(`authority.example; accounturi=${ACCOUNT}; persistUntil=soon`),
    'has a "persistUntil" that is no time in seconds',
  );
  assert.equal(reasonOf(`authority.example; accounturi=${ACCOUNT}; accountURI=x`), 'has "accountURI" twice');
  assert.equal(reasonOf(`authority.example; accounturi=${ACCOUNT};`), 'has "", which is not tag=value');
  assert.equal(reasonOf(`authority.example; accounturi=${ACCOUNT}; policy`), 'has "policy", which is not tag=value');
  assert.equal(
    reasonOf(` authority.example ;\tACCOUNTURI = ${ACCOUNT} ; Policy=WildCard; new=1`, { needsWildcard: true }),
    'good',
  );
});

test('findPersistRecord() throws on no text', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string()),
      (texts) =>
        void findPersistRecord(
          texts.map((text) => `authority.example;${text}`),
          WANTED,
        ),
    ),
  );
});
