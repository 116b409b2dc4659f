import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_SESSION, type AuthSession } from '../auth-session.ts';
import { createConstraints } from './constraints.ts';

const ALICE: AuthSession = { ...NO_SESSION, email: 'alice@sub.example.com', groups: ['/ops', 'a b', 'größe'] };
const read = createConstraints(false);

test('createConstraints() reads none where none is there', () => {
  for (const query of ['', '?', '?x=1', '?x=%zz', '?a;b', '?Allowed_groups=', '?rd=/x'])
    assert.equal(read(query), null, query);
});

test('createConstraints() lets in by any value of one, and by all of several', () => {
  for (const [query, isAllowed] of [
    ['?allowed_groups=/ops', true],
    ['?allowed_groups=admins,/ops', true],
    ['?allowed_groups=admins&allowed_groups=/ops', true],
    ['?allowed_groups=%2Fops', true],
    ['?allowed_groups=a+b', true],
    ['?allowed_groups=a%20b', true],
    ['?allowed_groups=gr%C3%B6%C3%9Fe', true],
    ['?%61llowed_groups=admins', false],
    ['?allowed_groups=/OPS', false],
    ['?allowed_groups=/op', false],
    ['?allowed_groups=/ops/', false],
    ['?allowed_groups=admins&allowed_emails=alice@sub.example.com', false],
    ['?allowed_groups=/ops&allowed_emails=alice@sub.example.com', true],
    ['?allowed_emails=ALICE@sub.example.com', false],
    ['?allowed_email_domains=sub.example.com', true],
    ['?allowed_email_domains=example.com', false],
    ['?allowed_email_domains=.example.com', true],
    ['?allowed_email_domains=*.example.com', true],
    ['?allowed_email_domains=.sub.example.com', true],
    ['?allowed_email_domains=.ample.com', false],
    ['?allowed_email_domains=example.org,sub.example.com', true],
    ['?allowed_email_domains=sub.example.com:443', false],
    ['?allowed_email_domains=.', false],
  ] as const)
    assert.equal(read(query)?.allows(ALICE), isAllowed, query);
});

test('createConstraints() lets nobody in by one that is empty or cannot be read', () => {
  for (const query of [
    '?allowed_groups',
    '?allowed_groups=',
    '?allowed_groups=,,',
    '?allowed_emails=',
    '?allowed_email_domains=',
    '?allowed_groups=/ops&allowed_emails=',
    '?allowed_groups=%zz',
    '?allowed_groups=/ops%',
    '?allowed_groups=%ff',
    '?allowed_groups=/ops;x=1',
    '?x=1;allowed_groups=/ops',
    '?%61llowed_groups=%zz',
    '?x=%zz&x;ALLOWED_groups=/ops',
  ])
    assert.equal(read(query)?.allows(ALICE), false, query);
});

test('createConstraints() reads semicolons as ends of pairs where the settings say so', () => {
  const readWith = createConstraints(true);
  assert.equal(readWith('?x=1;allowed_groups=/ops')?.allows(ALICE), true);
  assert.equal(readWith('?allowed_groups=admins;x=1')?.allows(ALICE), false);
});

test('CVE-2026-40574: an address with two "@" is in no domain', () => {
  const constraints = read('?allowed_email_domains=example.com');
  for (const email of [
    'attacker@evil.com@example.com',
    '@example.com@',
    'example.com',
    '',
    'a@example.com.',
    'a＠example.com',
  ])
    assert.equal(constraints?.allows({ ...ALICE, email }), false, email);
  assert.equal(constraints?.allows({ ...ALICE, email: 'a@example.com' }), true);
});

test('createConstraints() keeps its answers bounded', () => {
  const bounded = createConstraints(false);
  for (let i = 0; i < 2_000; i++) assert.equal(bounded(`?allowed_groups=g${i}`)?.allows(ALICE), false);
  assert.equal(bounded('?allowed_groups=/ops')?.allows(ALICE), true);
});
