/**
 * What routing and deciding cost: compiling 10 000 hosts, and one request (find the host, find the
 * route, decide) in tables of 1 and of 10 000 hosts. Prints figures, asserts nothing: machines differ.
 * Run: node bench/micro/route.ts
 */
import type { Route } from '../../src/config/document/hosts.ts';
import type { RuleText } from '../../src/config/document/rules.ts';
import type { Facts } from '../../src/policy/facts.ts';
import { compileTable, compileTableLazily } from '../../src/route/compile.ts';
import { documentOf, hostOf, routeOf } from '../../src/route/document-fixture.ts';
import type { RoutingTable } from '../../src/route/table.ts';
import { HeaderBlock } from '../../src/wire/header-block.ts';

const ROUNDS = 300_000;
const HEADERS = HeaderBlock.from({ Host: 'x', Accept: '*/*' });
const PERSON = {
  provider: 'local',
  subject: '1',
  name: 'alice',
  displayName: '',
  email: null,
  emailVerified: false,
  groups: ['/developers'],
  roles: [],
  amr: [],
};

const many = documentOf(
  Array.from({ length: 10_000 }, (_, i) =>
    hostOf(`h${i}.example.com`, [routeOf('/*', [`user:u${i}`, 'group:/developers'])]),
  ),
);
for (let i = 0; i < 3; i++)
  report(
    'compile 10 000 hosts, each a policy of its own',
    time(() => void compileTable(many)),
    'ms',
  );

let longest = 0;
let last = performance.now();
const watch = setInterval(() => {
  longest = Math.max(longest, performance.now() - last);
  last = performance.now();
}, 0);
await compileTableLazily(many, 3);
clearInterval(watch);
report('longest turn of the event loop while compiling in slices of 3 ms', longest, 'ms');

const big = compileTable(many).table;
const small = compileTable(
  documentOf([hostOf('h5000.example.com', [routeOf('/*', ['user:u5000', 'group:/developers'])])]),
).table;
const wild = compileTable(documentOf([...many.hosts, hostOf('*.example.org', [routeOf('/*', ['public'])])])).table;
measure('1 host', small, 'h5000.example.com', '/');
measure('10 000 hosts', big, 'h5000.example.com', '/');
measure('10 000 hosts, wildcard', wild, 'a.b.c.example.org', '/');
for (const count of [10, 1_000]) {
  const table = compileTable(documentOf([hostOf('a.example.com', pathsOf(count))])).table;
  measure(
    `1 host, ${count} paths of two policies, deep path`,
    table,
    'a.example.com',
    `/app${count - 2}/api/v1/query/range`,
  );
  measure(`1 host, ${count} paths of two policies, guarded path`, table, 'a.example.com', '/other/api/v1/query/Range');
}

function pathsOf(count: number): Route[] {
  const allow = (i: number): RuleText[] => [i % 2 === 0 ? 'group:/developers' : 'signed-in'];
  return Array.from({ length: count }, (_, i) => routeOf(i === 0 ? '/*' : `/app${i}/*`, allow(i)));
}

function measure(name: string, table: RoutingTable, host: string, path: string): void {
  const request = { method: 'GET', host, path, query: '' };
  const facts: Facts = {
    identity: { kind: 'person', person: PERSON },
    ip: '10.0.0.1',
    clientCertificate: null,
    request,
  };
  let allowed = 0;
  const run = (): void => {
    for (let i = 0; i < ROUNDS; i++) {
      const found = table.findHost(host);
      const route = found && table.findRoute(found, path, 'GET', HEADERS);
      if (route?.policy.decide(facts).kind === 'allow') allowed++;
    }
  };
  run();
  report(`find and decide: ${name}`, (time(run) / ROUNDS) * 1e6, 'ns');
  if (allowed !== ROUNDS * 2) throw new Error(`Bench is wrong: ${allowed} of ${ROUNDS * 2} were allowed`);
}

function time(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function report(name: string, value: number, unit: string): void {
  console.log(`${value.toFixed(unit === 'ns' ? 0 : 1).padStart(8)} ${unit}  ${name}`);
}
