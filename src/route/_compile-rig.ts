/** Tables of a few hosts, and what is found in them. */
import assert from 'node:assert/strict';
import type { RuleText } from '../config/document/rules.ts';
import type { Identity } from '../core/person.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { compileTable } from './compile.ts';
import { documentOf, hostOf } from './document-fixture.ts';
import type { CompiledRoute, RoutingTable } from './table.ts';
import type { TemplateContext } from './template.ts';
import type { Document } from '../config/document.ts';
import type { Host, Route } from '../config/document/hosts.ts';

export const NO_HEADERS: HeaderBlock = new HeaderBlock();
export const ANYONE: RuleText[] = ['public'];
export const ADMINS: RuleText[] = ['group:admins'];
export const ALICE: Identity = {
  kind: 'person',
  person: {
    provider: 'local',
    subject: '1',
    name: 'alice',
    displayName: '',
    email: null,
    emailVerified: false,
    groups: [],
    roles: [],
    amr: [],
  },
};

export function tableOf(hosts: readonly Host[], changes: Partial<Document> = {}): RoutingTable {
  const { table, diagnostics } = compileTable(documentOf(hosts, changes));
  assert.deepEqual(diagnostics, []);
  return table;
}

export function problemsOf(hosts: readonly Host[], changes: Partial<Document> = {}): string[] {
  return compileTable(documentOf(hosts, changes)).diagnostics.map(({ message, remedy }) => `${message} / ${remedy}`);
}

export function findPath(
  table: RoutingTable,
  path: string,
  method = 'GET',
  headers: HeaderBlock = NO_HEADERS,
): string | null {
  const host = table.findHost('a.example.com');
  assert.ok(host);
  return table.findRoute(host, path, method, headers)?.config.path ?? null;
}

export function oneRoute(route: Route, changes: Partial<Document> = {}): CompiledRoute {
  const found = tableOf([hostOf('a.example.com', [route])], changes).hosts[0]?.routes[0];
  assert.ok(found);
  return found;
}

export function contextOf(changes: Partial<TemplateContext> = {}): TemplateContext {
  return { identity: ALICE, ip: '192.0.2.1', requestId: 'r1', path: '/x', query: '?q=1', ...changes };
}
