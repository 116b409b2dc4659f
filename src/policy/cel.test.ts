import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { compileCel, type CelProgram, type CelVariables } from './cel.ts';

const ALICE = {
  name: 'alice',
  email: 'alice@example.com',
  roles: [],
  groups: ['/staff', '/admins'],
  provider: 'local',
};

function programOf(expression: string): CelProgram {
  const compiled = compileCel(expression);
  assert.equal(compiled.kind, 'program', compiled.kind === 'refused' ? compiled.reason : '');
  return (compiled as { program: CelProgram }).program;
}

function refusalOf(expression: string): string {
  const compiled = compileCel(expression);
  assert.equal(compiled.kind, 'refused', expression);
  return (compiled as { reason: string }).reason;
}

test('compileCel() evaluates over the closed set of variables', () => {
  const variables: CelVariables = {
    user: ALICE,
    service: '',
    ip: '10.0.0.1',
    method: 'GET',
    host: 'a.example',
    path: '/u/alice/x',
  };
  const cases: [string, boolean][] = [
    ['user.name == "alice" && method == "GET"', true],
    ['"/admins" in user.groups', true],
    ['user.groups.exists(g, g.startsWith("/adm"))', true],
    ['path.startsWith("/u/" + user.name + "/")', true],
    ['method in ["PUT", "POST"]', false],
    ['!(ip == "10.0.0.1") || host.endsWith(".org")', false],
    ['user.email.endsWith("@example.com") ? service == "" : false', true],
    ['size(user.groups) == 2', true],
  ];
  for (const [expression, expected] of cases)
    assert.equal(programOf(expression).evaluate(variables), expected, expression);
});

test('compileCel() fails where it needs what is not known, and not where the rest decides', () => {
  const program = programOf('user.name == "alice" && method == "GET"');
  assert.match(String(program.evaluate({ method: 'GET' })), /user/);
  assert.equal(program.evaluate({ method: 'PUT' }), false);
  assert.equal(typeof programOf('ip == "10.0.0.1"').evaluate({}), 'string');
});

test('compileCel() refuses what is unbounded, unknown or not a yes or no', () => {
  const cases: [string, RegExp][] = [
    ['path.matches("(a+)+$")', /"matches" is not available/],
    ['path.split("/").size() > 3', /"split" is not available/],
    ['user.groups.map(g, g + g) == []', /"map" is not available/],
    ['user.groups.exists(g, user.groups.exists(h, g == h))', /inside another loop|again/],
    ['["a"].exists(a, ["b"].exists(b, a == b))', /inside another loop/],
    ['user.groups.exists(g, g in user.groups)', /again/],
    ['user.name', /not true or false/],
    ['user.password == "x"', /password/],
    ['request.headers["x"] == "y"', /request/],
    ['user.name ==', /./],
    ['', /./],
    [`"${'x'.repeat(2_000)}" == path`, /at most 2000/],
    [Array.from({ length: 120 }, () => 'true').join(' && '), /./],
  ];
  for (const [expression, expected] of cases) assert.match(refusalOf(expression), expected);
});

test('compileCel() treats a user of too many groups as undecidable', () => {
  const groups = Array.from({ length: 1_001 }, (_, i) => `/g${i}`);
  const user = { ...ALICE, groups };
  assert.match(String(programOf('user.groups.exists(g, g == "/g1")').evaluate({ user })), /more than 1000/);
});

test('compileCel() notes what an expression reads', () => {
  assert.deepEqual([...programOf('user.name == "x" || ip == "y"').reads].sort(), ['ip', 'user', 'user.name']);
  assert.deepEqual([...programOf('"x" in user["groups"]').reads].sort(), ['user', 'user.groups']);
});

test('a document without expressions never loads the engine', () => {
  const script = `
    import { compilePolicy } from ${JSON.stringify(new URL('compile.ts', import.meta.url).href)};
    import { createRequire } from 'node:module';
    const allow = [{ rule: process.argv[1] === 'when' ? { when: 'true' } : 'public', at: [] }];
    compilePolicy({ allow, routeDeny: [], hostDeny: [], providers: [] });
    const cache = createRequire(${JSON.stringify(import.meta.url)}).cache;
    console.log(Object.keys(cache).some((path) => path.includes('cel-js')));`;
  const run = (word: string): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script, word], { encoding: 'utf8' }).trim();
  assert.equal(run('none'), 'false');
  assert.equal(run('when'), 'true');
});
