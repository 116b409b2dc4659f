/**
 * Reads the keys of `maps:` as rules are read, so that a map knows a person by the one spelling that rules know them
 * by: the provider written out, names of GitHub in lower case. What is no person, group or machine is a diagnostic.
 */
import { problem, type Diagnostic } from '../core/diagnostic.ts';
import type { Document } from '../config/document.ts';
import { namedBy } from '../policy/compile.ts';
import { parsePrincipal, principalText } from '../policy/principal.ts';

const MAP_KINDS: readonly string[] = ['user', 'group', 'role', 'org', 'team', 'service', 'token'];

export interface CompiledMaps {
  readonly maps: Document['maps'];
  /** As of rules: "github:user:alice", "github:org:acme". */
  readonly named: readonly string[];
}

export function compileMaps(document: Document, diagnostics: Diagnostic[]): CompiledMaps {
  const context = { providers: document.providers, services: document.services.map(({ name }) => name) };
  const maps: Record<string, Readonly<Record<string, string>>> = {};
  const named: string[] = [];
  for (const [name, map] of Object.entries(document.maps)) {
    const keys = new Map<string, string>();
    for (const [key, value] of Object.entries(map)) {
      const at = ['maps', name, key];
      if (!key.includes(':')) {
        const remedy = `Write "user:${key}", "service:${key}" or "token:${key}"`;
        const message = `Key "${key}" of map "${name}" does not say whether a user or a service is meant`;
        diagnostics.push(problem(at, message, remedy));
        continue;
      }
      const { principal, diagnostics: found } = parsePrincipal(key, at, context);
      diagnostics.push(...found);
      if (found.length === 0 && !MAP_KINDS.includes(principal.kind)) {
        const remedy = 'Use keys such as "user:alice", "group:ops" or "token:ci"';
        diagnostics.push(problem(at, `Key "${key}" of map "${name}" is not a person, a group or a machine`, remedy));
      }
      const text = principalText(principal);
      // Of two spellings the full one counts.
      if (!keys.has(text) || key === text) keys.set(text, value);
      named.push(...namedBy(principal));
    }
    maps[name] = Object.fromEntries(keys);
  }
  return { maps, named };
}
