/**
 * Runs the `tests:` of a document against its own table. A test that fails is an error of the document:
 * `postern check` prints it, and a reload with it is refused.
 */
import { assertNever } from '../core/assert-never.ts';
import { problem, type Diagnostic } from '../core/diagnostic.ts';
import { normaliseIp } from '../core/ip-address.ts';
import type { Document, PolicyTest } from '../config/document.ts';
import { certificateOf, parseCertificateMatch } from '../policy/certificate-match.ts';
import { describeDecision } from '../policy/explain.ts';
import { explainRequest, leadsNowhere, type Explanation } from './explain-request.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { parseIdentity } from './persons.ts';
import type { RoutingTable } from './table.ts';

export function runPolicyTests(document: Document, table: RoutingTable): readonly Diagnostic[] {
  return document.tests.flatMap((test) => runTest(test, table) ?? []);
}

function runTest(test: PolicyTest, table: RoutingTable): Diagnostic | null {
  const who = parseIdentity(test.as, test, table.providers);
  if (who.kind === 'refused') return problem([...test.at, 'as'], who.message, who.remedy);
  const ip = test.ip === null ? null : normaliseIp(test.ip);
  if (test.ip !== null && ip === null) {
    return problem([...test.at, 'ip'], `Address "${test.ip}" is not an IP address`, 'Write for example "192.0.2.1"');
  }
  const { url, method } = test;
  const headers = HeaderBlock.from(test.headers);
  const match = test.clientCertificate === null ? null : parseCertificateMatch(test.clientCertificate);
  if (match === null && test.clientCertificate !== null) {
    const place = [...test.at, 'client_certificate'];
    return problem(
      place,
      `"${test.clientCertificate}" names no client certificate`,
      'Write for example "cn=machine-7"',
    );
  }
  const clientCertificate = match === null ? null : certificateOf(match);
  const explanation = explainRequest(table, { url, method, identity: who.identity, ip, headers, clientCertificate });
  const got = outcomeOf(explanation);
  if (got === test.expect) return null;
  const message = `Test "${test.as}" ${test.method} "${test.url}" gives "${got}", expected "${test.expect}": ${reasonOf(explanation)}`;
  return problem(test.at, message, 'Change the rules, or what the test expects');
}

/** What reaches no app counts as denied. */
function outcomeOf(explanation: Explanation): PolicyTest['expect'] {
  if (explanation.kind !== 'route' || explanation.targetPath === null || leadsNowhere(explanation)) return 'deny';
  return explanation.decision.kind;
}

function reasonOf(explanation: Explanation): string {
  switch (explanation.kind) {
    case 'bad-request':
      return explanation.reason;
    case 'sign-in-host':
      return `"${explanation.host}" is the sign-in host`;
    case 'own-path':
      return `"${explanation.path}" is Postern's own path`;
    case 'no-host':
      return `no host "${explanation.host}"`;
    case 'no-route':
      return `no route of "${explanation.host.name}" takes it`;
    case 'route':
      if (leadsNowhere(explanation)) return `${explanation.route.label}: let in, but no app is meant for this visitor`;
      return `${explanation.route.label}: ${describeDecision(explanation.decision)}`;
    default:
      return assertNever(explanation);
  }
}
