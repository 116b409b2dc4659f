import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signV4 } from './signature-v4.ts';

/** Of AWS's own test suite for Signature Version 4. */
const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: undefined,
};
const SCOPE = { region: 'us-east-1', service: 'service' };
const NOW = Date.UTC(2015, 7, 30, 12, 36, 0);

function signatureOf(path: string): string {
  const url = new URL(`https://example.amazonaws.com${path}`);
  return (
    /Signature=(\w+)$/.exec(
      signV4({ method: 'GET', url, body: '' }, CREDENTIALS, SCOPE, NOW)['authorization'] ?? '',
    )?.[1] ?? ''
  );
}

test('signV4() signs as the vectors "get-vanilla" and "get-vanilla-query-order-key-case" do', () => {
  assert.equal(signatureOf('/'), '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31');
  assert.equal(
    signatureOf('/?Param2=value2&Param1=value1'),
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  );
});

test('signV4() signs the session token of temporary credentials', () => {
  const url = new URL('https://example.amazonaws.com/');
  const headers = signV4({ method: 'GET', url, body: '' }, { ...CREDENTIALS, sessionToken: 'tok' }, SCOPE, NOW);
  assert.equal(headers['x-amz-security-token'], 'tok');
  assert.match(headers['authorization'] ?? '', /SignedHeaders=host;x-amz-date;x-amz-security-token,/);
});
