import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { serverNameOf } from './challenge.ts';
import { alternatesOf, downloadChain, renewalIdOf } from './chain.ts';
import { DIRECTORY } from './_directory.ts';
import { AcmeClient } from './client.ts';
import { accountKeyOf, newAccountKeyPem } from './jws.ts';

const BASE = 'https://ca.example/cert/1';

test('alternatesOf() finds the alternates of a Link field, in any spelling, at the same CA only', () => {
  const one = '<https://ca.example/cert/1/2>;rel="alternate"';
  assert.deepEqual(alternatesOf(one, BASE), ['https://ca.example/cert/1/2']);
  assert.deepEqual(alternatesOf([one, '</cert/1/3>; rel=alternate'], BASE), [
    'https://ca.example/cert/1/2',
    'https://ca.example/cert/1/3',
  ]);
  assert.deepEqual(alternatesOf('<https://ca.example/dir>;rel="index", <a>;rel="up alternate"', BASE), [
    'https://ca.example/cert/a',
  ]);
  for (const header of [
    undefined,
    '',
    'x',
    '<https://evil.example/1>;rel="alternate"',
    '<a>;rel="alternates"',
    '<a>;title="rel=alternate"x',
  ])
    assert.deepEqual(
      alternatesOf(header, BASE).filter((url) => !url.startsWith('https://ca.example/')),
      [],
      header,
    );
});

test('alternatesOf() is never more than a few, and never throws', () => {
  assert.equal(
    alternatesOf(Array.from({ length: 100 }, (_, at) => `<${at}>;rel="alternate"`).join(', '), BASE).length,
    8,
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const url of alternatesOf(text, BASE)) assert.equal(new URL(url).origin, 'https://ca.example');
    }),
  );
});

test('serverNameOf() is the reverse name of an address (RFC 8738 section 6)', () => {
  assert.equal(serverNameOf('a.example.com'), 'a.example.com');
  assert.equal(serverNameOf('192.0.2.1'), '1.2.0.192.in-addr.arpa');
  assert.equal(serverNameOf('2001:db8::1'), '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa');
});

/** RFC 9773 appendix A: its serial has a high bit. */
const NAMED = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----`;

test('renewalIdOf() takes the serial as DER has it, with the zero before a high bit', () => {
  assert.equal(renewalIdOf(new X509Certificate(NAMED)), 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
});

test('downloadChain() keeps a certificate that came alone where no other chain can be had', async () => {
  const asked: string[] = [];
  const answerTo = (url: string): { readonly status: number; readonly body: string } => {
    if (url === BASE) return { status: 200, body: NAMED };
    return url.endsWith('/dir') ? { status: 200, body: JSON.stringify(DIRECTORY) } : { status: 404, body: 'gone' };
  };
  const client = new AcmeClient({
    directoryUrl: 'https://ca.example/dir',
    name: 'Test CA',
    clock: { now: () => 0 },
    random: () => 0.5,
    sleep: async () => {},
    https: {
      close: () => {},
      async ask({ url }) {
        asked.push(url);
        const headers = { 'replay-nonce': 'nonce', link: '</cert/1/2>;rel="alternate"' };
        return url.endsWith('/nonce') ? { status: 200, body: '', headers } : { ...answerTo(url), headers };
      },
    },
  });
  const signer = { key: await accountKeyOf(newAccountKeyPem()), kid: 'https://ca.example/account/1' };
  const { signal } = new AbortController();
  assert.equal(await downloadChain(client, { url: BASE, signer, preferred: null }, signal), NAMED);
  assert.ok(asked.includes('https://ca.example/cert/1/2'));
  // One that is wished for may be there in a moment.
  await assert.rejects(downloadChain(client, { url: BASE, signer, preferred: 'other' }, signal), /404/);
});
