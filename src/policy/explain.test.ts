import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePolicy } from './compile.ts';
import { describeDecision, formatTraces, tracesToJson } from './explain.ts';
import type { Facts } from './facts.ts';

const { policy } = compilePolicy({
  allow: [
    { rule: 'user:alice', at: [] },
    { rule: { all: ['ip:10.0.0.0/8', 'group:/ops'] }, at: [] },
  ],
  routeDeny: [],
  hostDeny: [{ rule: 'ip:192.0.2.0/24', at: [] }],
  providers: [{ id: 'local', type: 'local' }],
});

function factsOf(name: string): Facts {
  const person = {
    provider: 'local',
    subject: '1',
    name,
    displayName: name,
    email: null,
    emailVerified: false,
    groups: ['/ops'],
    roles: [],
    amr: [],
  };
  return { identity: { kind: 'person', person }, ip: '10.0.0.1', clientCertificate: null, request: null };
}

test('formatTraces() prints a line for each rule and marks the one that decided', () => {
  const given = factsOf('bob');
  assert.equal(describeDecision(policy.decide(given)), 'Allowed by "all: [ip:10.0.0.0/8, local:group:/ops]"');
  assert.equal(
    formatTraces(policy.explain(given)),
    `  deny  ip:192.0.2.0/24: not matched, client address is 10.0.0.1
  allow local:user:alice: not matched, user is "bob", wanted "alice"
> allow all: [ip:10.0.0.0/8, local:group:/ops]: matched, every part matches
        - ip:10.0.0.0/8: matched, client address is 10.0.0.1
        - local:group:/ops: matched, groups are "/ops", wanted "/ops"
`,
  );
});

test('formatTraces() lets no control characters of a name reach the terminal', () => {
  const text = formatTraces(policy.explain(factsOf('bob\u001b[2J\u202e')));
  assert.ok(text.includes('"bob\\u001b[2J\\u202e"'), text);
});

test('tracesToJson() is plain data with one order of keys', () => {
  const [deny] = tracesToJson(policy.explain({ ...factsOf('bob'), identity: { kind: 'anonymous' } })) as unknown[];
  const expected = {
    list: 'deny',
    rule: 'ip:192.0.2.0/24',
    matched: false,
    reason: 'client address is 10.0.0.1',
    decisive: false,
    couldHelp: null,
  };
  assert.equal(JSON.stringify(deny), JSON.stringify(expected));
});
