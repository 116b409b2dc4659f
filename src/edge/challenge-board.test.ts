import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { writeChallengeCertificate } from '../certs/x509-writer.ts';
import { ChallengeBoard } from './challenge-board.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const certificatePem = writeChallengeCertificate({
  name: 'a.example.com',
  digest: Buffer.alloc(32, 7),
  notBefore: Date.now(),
  notAfter: Date.now() + 3_600_000,
  ...keys,
});
const keyPem = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

test('ChallengeBoard answers the tokens it was shown, until they are hidden', () => {
  const board = new ChallengeBoard();
  assert.equal(board.hasTokens, false);
  board.show({ kind: 'http', id: '1', token: 'tok', body: 'tok.thumb' });
  assert.equal(board.hasTokens, true);
  assert.equal(board.bodyFor('/.well-known/acme-challenge/tok'), 'tok.thumb');
  for (const path of [
    '/.well-known/acme-challenge/',
    '/.well-known/acme-challenge/tok/',
    '/.well-known/acme-challenge/TOK',
    '/tok',
    '/',
  ])
    assert.equal(board.bodyFor(path), null, path);
  board.hide('2');
  assert.equal(board.hasTokens, true);
  board.hide('1');
  assert.equal(board.hasTokens, false);
  assert.equal(board.bodyFor('/.well-known/acme-challenge/tok'), null);
});

test('ChallengeBoard has a certificate for the names it was shown and no others', () => {
  const board = new ChallengeBoard();
  board.show({ kind: 'tls', id: '1', serverName: 'a.example.com', certificatePem, keyPem });
  assert.notEqual(board.contextFor('a.example.com'), null);
  assert.equal(board.contextFor('b.example.com'), null);
  assert.equal(board.contextFor(null), null);
  // A second answer for the name is not taken away by the end of the first.
  board.show({ kind: 'tls', id: '2', serverName: 'a.example.com', certificatePem, keyPem });
  board.hide('1');
  assert.notEqual(board.contextFor('a.example.com'), null);
  board.hide('2');
  assert.equal(board.contextFor('a.example.com'), null);
});
