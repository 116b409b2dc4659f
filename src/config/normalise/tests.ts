/** Reads `tests:`. Whether the rules pass them is found out once they are compiled. */
import { normaliseIp } from '../../core/ip-address.ts';
import { isToken } from '../../wire/fields.ts';
import type { PolicyTest } from '../document.ts';
import type { Path } from '../document/path.ts';
import { TEST_METHODS, type TestInput } from '../schema/people.ts';
import { type Context, entriesOf } from './context.ts';
import { readHeaderMatch } from './header-edits.ts';

export function readTests(input: readonly TestInput[], context: Context): readonly PolicyTest[] {
  const found: PolicyTest[] = [];
  for (const [test, at] of entriesOf<TestInput>(input, ['tests'])) {
    const request = readRequest(test, at, context);
    const ip = test.ip === undefined ? null : normaliseIp(test.ip);
    if (test.ip !== undefined && ip === null) context.report([...at, 'ip'], 'is not an IP address');
    if (test.expect === undefined && !context.isBroken([...at, 'expect'])) {
      context.report(at, 'has no "expect"', 'add "expect: allow", "deny", "sign-in" or "challenge"');
    }
    const headers = readTestHeaders(test.headers, [...at, 'headers'], context);
    if (request === null || test.expect === undefined) continue;
    const groups = [...entriesOf<string>(test.groups, [...at, 'groups'])].map(([group]) => group);
    const roles = [...entriesOf<string>(test.roles, [...at, 'roles'])].map(([role]) => role);
    found.push({
      as: test.as ?? 'anonymous',
      groups,
      roles,
      ip,
      ...request,
      headers,
      clientCertificate: test.client_certificate ?? null,
      expect: test.expect,
      at,
    });
  }
  return found;
}

function readTestHeaders(input: TestInput['headers'], at: Path, context: Context): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(readHeaderMatch(input, at, context)))
    if (value !== null) found[name] = value;
  return found;
}

function readRequest(
  test: TestInput,
  at: Path,
  context: Context,
): { readonly method: string; readonly url: string } | null {
  const keys = [...TEST_METHODS, 'url'] as const;
  const given = keys.filter((key) => test[key] !== undefined || context.isBroken([...at, key]));
  if (given.length !== 1) {
    const wrong = given.length === 0 ? 'names no request' : `names ${given.length} requests, expected one`;
    context.report(at, wrong, 'write one such as "get: https://app.example.com/"');
    return null;
  }
  const key = given[0] as (typeof keys)[number];
  const url = test[key];
  if (url === undefined) return null;
  if (key !== 'url' && test.method !== undefined)
    context.report([...at, 'method'], `is given beside "${key}"`, 'remove one of them');
  const method = (key === 'url' ? (test.method ?? 'GET') : key).toUpperCase();
  if (!isToken(method)) context.report([...at, 'method'], 'is not a method', 'write a method such as "GET"');
  if (URL.canParse(url) && /^https?:\/\//.test(url)) return { method, url };
  context.report([...at, key], 'is not a URL', 'write a URL such as "https://app.example.com/"');
  return null;
}
