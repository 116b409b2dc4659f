import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareHost, coversName, isLocalName, namesOf, wildcardFor } from './names.ts';
import type { X509Certificate } from 'node:crypto';

test('coversName() lets a wildcard stand for exactly one label', () => {
  const names = ['*.example.com', 'other.test', '192.0.2.1'];
  assert.equal(coversName(names, 'a.example.com'), true);
  assert.equal(coversName(names, 'A.Example.COM.'), true);
  assert.equal(coversName(names, 'example.com'), false);
  assert.equal(coversName(names, 'a.b.example.com'), false);
  assert.equal(coversName(names, 'other.test'), true);
  assert.equal(coversName(names, 'sub.other.test'), false);
  assert.equal(coversName(names, '192.0.2.1'), true);
  assert.equal(coversName(['*.0.2.1'], '192.0.2.1'), false);
  assert.equal(coversName(names, '.example.com'), false);
});

test('coversName() takes a wildcard host only from the very wildcard', () => {
  assert.equal(coversName(['*.example.com'], '*.example.com'), true);
  assert.equal(coversName(['a.example.com'], '*.example.com'), false);
  assert.equal(coversName(['*.com'], '*.example.com'), false);
});

test('namesOf() does not believe names that stand in quotes of another name', () => {
  const of = (subjectAltName: string): string[] => namesOf({ subjectAltName } as X509Certificate);
  assert.deepEqual(of('DNS:A.test, DNS:*.b.test, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1'), [
    'a.test',
    '*.b.test',
    '127.0.0.1',
    '::1',
  ]);
  assert.deepEqual(of('DNS:"a.test, DNS:evil.test", DNS:b.test'), ['b.test']);
  assert.deepEqual(of(String.raw`URI:"http://x/\", DNS:evil.test", DNS:c.test`), ['c.test']);
  assert.deepEqual(of('DirName:"CN = x, DNS:evil.test"'), []);
});

test('isLocalName() knows the names that no public CA certifies', () => {
  for (const name of ['localhost', 'whoami.localhost', '*.test', 'nas.internal', 'tv.local', 'a.home.arpa'])
    assert.equal(isLocalName(name), true, name);
  for (const name of ['notlocalhost', 'test.com', 'arpa', 'home.arpa.example.com', '127.0.0.1'])
    assert.equal(isLocalName(name), false, name);
});

test('bareHost() and wildcardFor() spell names as certificates do', () => {
  assert.equal(bareHost('[::1]'), '::1');
  assert.equal(bareHost('App.Test.'), 'app.test');
  assert.equal(wildcardFor('a.b.c'), '*.b.c');
  assert.equal(wildcardFor('localhost'), null);
});
