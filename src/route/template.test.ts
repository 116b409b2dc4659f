import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, oneof, property, string, stringMatching } from 'fast-check';
import { compileTemplate } from './template.ts';
import type { Maps, Template, TemplateContext } from './template.ts';
import type { Identity, Person } from '../core/person.ts';

const ADA: Person = {
  provider: 'local',
  subject: 's',
  name: 'ada',
  displayName: 'Ada',
  email: null,
  emailVerified: false,
  groups: [],
  roles: [],
  amr: [],
};
const person = (over: Partial<Person>): Identity => ({ kind: 'person', person: { ...ADA, ...over } });
const contextOf = (identity: Identity): TemplateContext => ({
  identity,
  ip: null,
  requestId: 'r',
  path: '/',
  query: '',
});

function compile(text: string, maps: Maps = {}): Template {
  const compiled = compileTemplate(text, 'address', maps);
  assert.ok(compiled.kind === 'template', JSON.stringify(compiled));
  return compiled.render;
}

/** What somebody might be called who wants another's app. */
const EVIL_NAMES = [
  '',
  '.',
  '..',
  '../bob',
  '..%2fbob',
  'bob/../alice',
  '/etc/passwd',
  '\\\\host\\share',
  'bob\u0000.sock',
  'bob\n',
  'bob ',
  'Bob',
  'BOB',
  'bób',
  'ｂｏｂ',
  'bob\u200b',
  'b.b',
  'bob.example.com',
  'bob:80',
  'bob@host',
  '[::1]',
  '127.0.0.1',
  'bob#',
  'bob?x',
  '%62ob',
  '{user.name}',
  '${HOME}',
  'a'.repeat(65),
];

test('a name that could leave the pattern makes the address undecidable, never another one', () => {
  for (const text of ['/run/ide/{user.name}.sock', 'ide-{user.name}.internal', '{user.name}']) {
    const render = compile(text);
    for (const name of EVIL_NAMES) assert.equal(render(contextOf(person({ name }))), null, JSON.stringify(name));
    assert.equal(render(contextOf(person({ name: 'a-b_9' }))), text.replace('{user.name}', 'a-b_9'));
  }
  for (const value of EVIL_NAMES) {
    const mapped = compileTemplate('{map.port}', 'address', { port: { 'user:ada': '9001', 'user:eve': value } });
    assert.equal(mapped.kind, 'refused', JSON.stringify(value));
  }
});

test('whatever the name is, the address is the pattern with one plain word in it, or none', () => {
  const render = compile('/run/ide/{user.name}.sock');
  check(
    property(oneof(string({ unit: 'binary' }), stringMatching(/^[a-z0-9_./%-]{0,70}$/)), (name) => {
      const address = render(contextOf(person({ name })));
      assert.ok(address === null || /^\/run\/ide\/[a-z0-9_-]{1,64}\.sock$/.test(address), address ?? '');
      assert.equal(address === null, !/^[a-z0-9_-]{1,64}$/.test(name));
    }),
    { numRuns: 2_000 },
  );
});

test('a map is asked by the person first, then by groups and roles in the order of the document', () => {
  const render = compile('{map.port}', {
    port: {
      'local:group:ops': '9001',
      'group:/dev': '9002',
      'role:admin': '9003',
      'user:bob': '9004',
      'keycloak:user:bob': '9005',
      'token:ci': '9006',
      'service:promtail': '9007',
    },
  });
  const ask = (over: Partial<Person>): string | null => render(contextOf(person(over)));
  assert.equal(ask({ groups: ['/dev', 'ops'] }), '9001');
  assert.equal(ask({ groups: ['/dev'] }), '9002');
  assert.equal(ask({ roles: ['admin'] }), '9003');
  assert.equal(ask({ name: 'bob', groups: ['ops'] }), '9004');
  assert.equal(ask({ name: 'bob', provider: 'keycloak' }), '9005');
  assert.equal(ask({ provider: 'keycloak', groups: ['ops'] }), null, "another provider's group of the same name");
  assert.equal(ask({ groups: ['OPS', 'dev', '/dev/x'], roles: ['/dev'] }), null);
  assert.equal(render(contextOf({ kind: 'token', name: 'ci' })), '9006');
  assert.equal(render(contextOf({ kind: 'service', name: 'promtail' })), '9007');
  assert.equal(render(contextOf({ kind: 'service', name: 'ci' })), null);
  assert.equal(render(contextOf({ kind: 'anonymous' })), null);
});

test('a map knows nobody as a user by a subject that stands in for a name', () => {
  const render = compile('{map.port}', { port: { 'user:ada': '9001', 'local:user:ada': '9001', 'group:ops': '9002' } });
  assert.equal(render(contextOf(person({}))), '9001');
  assert.equal(render(contextOf(person({ unsaid: ['name'], groups: [] }))), null);
  assert.equal(render(contextOf(person({ unsaid: ['name'], groups: ['ops'] }))), '9002');
});

test('{user.name} is nothing where a subject stands in for a name, in addresses and in header fields', () => {
  const header = compileTemplate('{user.name}', 'header', {});
  assert.ok(header.kind === 'template');
  for (const render of [compile('/run/ide/{user.name}.sock'), header.render]) {
    assert.match(String(render(contextOf(person({})))), /ada/);
    assert.equal(render(contextOf(person({ unsaid: ['name'] }))), null);
    assert.match(String(render(contextOf(person({ unsaid: ['groups'] })))), /ada/);
  }
});

test('a map with capitals is for header fields; an address refuses it by name', () => {
  const role = { 'group:ops': 'Admin', 'group:staff': 'Viewer' };
  const header = compileTemplate('{map.role}', 'header', { role });
  assert.ok(header.kind === 'template');
  assert.equal(header.render(contextOf(person({ groups: ['staff', 'ops'] }))), 'Admin');
  assert.equal(header.render(contextOf(person({}))), null);
  const address = compileTemplate('http://{map.role}:80', 'address', { role });
  assert.ok(address.kind === 'refused');
  assert.match(address.reason, /\{map\.role\} may be "Admin"/);
});
