import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expiredTokenJson, stepUpParameters, unauthorizedJson } from './unauthorized.ts';

const START = 'https://app.example.com/.postern/start';
const bodyOf = (answer: ReturnType<typeof unauthorizedJson>): unknown => JSON.parse(answer.body);
const challengeOf = ({ headers }: ReturnType<typeof unauthorizedJson>): string | undefined =>
  headers.find(([name]) => name === 'WWW-Authenticate')?.[1];

test('unauthorizedJson() tells a program where people sign in', () => {
  const answer = unauthorizedJson('r1', START);
  assert.equal(answer.status, 401);
  assert.deepEqual(bodyOf(answer), { error: 'sign_in_required', sign_in_url: START, request_id: 'r1' });
  assert.equal(challengeOf(answer), 'Postern realm="sign-in"');
});

test('unauthorizedJson() tells a program what a session lacks, in the words of RFC 9470', () => {
  const answer = unauthorizedJson('r1', START, { secondFactor: true, acr: ['gold', 'platinum'], maxAgeMs: 900_000 });
  assert.deepEqual(bodyOf(answer), {
    error: 'insufficient_user_authentication',
    second_factor: true,
    acr_values: 'gold platinum',
    max_age: 900,
    sign_in_url: START,
    request_id: 'r1',
  });
  assert.equal(
    challengeOf(answer),
    'Postern realm="sign-in", error="insufficient_user_authentication", acr_values="gold platinum", max_age="900"',
  );
  const factor = unauthorizedJson('r1', START, { secondFactor: true, acr: [], maxAgeMs: null });
  assert.deepEqual(Object.keys(bodyOf(factor) as object), ['error', 'second_factor', 'sign_in_url', 'request_id']);
});

test('expiredTokenJson() tells a program that a session lives on whose provider token has ended', () => {
  const answer = expiredTokenJson('r1', START);
  assert.equal(answer.status, 401);
  assert.deepEqual(bodyOf(answer), { error: 'provider_token_expired', sign_in_url: START, request_id: 'r1' });
  assert.equal(challengeOf(answer), 'Postern realm="sign-in", error="provider_token_expired"');
});

test('stepUpParameters() quotes what a document may name a level', () => {
  const parameters = stepUpParameters({ secondFactor: false, acr: ['a"b', 'c\\d'], maxAgeMs: null });
  assert.equal(parameters, 'error="insufficient_user_authentication", acr_values="a\\"b c\\\\d"');
});
