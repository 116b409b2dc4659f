/** Rules, people and requests for tests of policies. */
import type { RuleText } from './rule-text.ts';
import type { Identity, Person } from '../core/person.ts';
import type { ClientCertificate } from '../wire/exchange.ts';
import { compilePolicy, type CompiledPolicy } from './compile.ts';
import { ANONYMOUS, type Facts, type StepUp } from './facts.ts';

interface Written {
  readonly allow: readonly RuleText[];
  readonly deny?: readonly RuleText[];
  readonly hostDeny?: readonly RuleText[];
  readonly providers?: readonly string[];
  readonly require?: StepUp;
}

export function compile(written: Written): ReturnType<typeof compilePolicy> {
  const rules = (texts: readonly RuleText[] = []) => texts.map((rule, index) => ({ rule, at: [index] }));
  return compilePolicy({
    allow: rules(written.allow),
    routeDeny: rules(written.deny),
    hostDeny: rules(written.hostDeny),
    providers: (written.providers ?? ['local']).map((id) => ({ id, type: 'local' })),
    require: written.require ?? null,
  });
}

export function policyOf(...allow: RuleText[]): CompiledPolicy {
  return compile({ allow }).policy;
}

export function person(name: string, changes: Partial<Person> = {}): Identity {
  const base = { provider: 'local', subject: `s-${name}`, name, displayName: name, email: `${name}@example.com` };
  return { kind: 'person', person: { ...base, emailVerified: true, groups: [], roles: [], amr: ['pwd'], ...changes } };
}

export const ALICE: Identity = person('alice', { groups: ['/developers', 'x'] });
export const PROMTAIL: Identity = { kind: 'service', name: 'promtail' };
export const CERTIFICATE: ClientCertificate = {
  fingerprint: 'ab'.repeat(32),
  subject: 'CN=agent',
  commonName: 'agent',
  emails: ['CI@example.com'],
  dnsNames: ['agent.example.com'],
  policy: 'p1',
};

export function facts(changes: Partial<Facts> = {}): Facts {
  const request = { method: 'GET', host: 'app.example.com', path: '/', query: '' };
  return { identity: ANONYMOUS, ip: '10.0.0.1', clientCertificate: null, request, ...changes };
}

export function kindFor(policy: CompiledPolicy, changes: Partial<Facts> = {}): string {
  return policy.decide(facts(changes)).kind;
}
