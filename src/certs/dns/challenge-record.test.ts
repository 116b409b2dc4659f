import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dns01Record, dnsAccount01Record, dnsPersist01Record, type PersistInput } from './challenge-record.ts';

const ISSUERS = ['authority.example', 'ca.example.net'];
const ACCOUNT = 'https://ca.example/acct/123';
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
