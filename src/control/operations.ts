/** Everything that the control socket serves. */
import { PosternError } from '../core/errors.ts';
import { normaliseIp } from '../core/ip-address.ts';
import { certificateOf, parseCertificateMatch } from '../policy/certificate-match.ts';
import type { ClientCertificate } from '../wire/exchange.ts';
import { isFieldValue, isToken } from '../wire/fields.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { explainRequest, explanationToJson, formatExplanation } from '../route/explain-request.ts';
import { createCertificateOperations } from './certificates.ts';
import { explainedIdentity } from './explained-identity.ts';
import { createPeopleOperations } from './people.ts';
import { createLinkOperations } from './links.ts';
import { createTokenOperations } from './tokens.ts';
import type { Identity } from '../core/person.ts';
import type { RoutingTable } from '../route/table.ts';
import type { CertificateDeps, CertificateOperations } from './certificates.ts';
import type { PeopleDeps, PeopleOperations } from './people.ts';
import type { LinkOperations } from './links.ts';
import type { Links } from '../session/links.ts';
import type { TokenOperations } from './tokens.ts';
import type { AssertionKeys } from '../session/assertion-keys.ts';
import type { ServiceTokens } from '../session/service-tokens.ts';
import type { Prepared } from './prepare.ts';
import type { ReloadAnswer } from './reload.ts';

export interface ExplainInput {
  readonly url: string;
  readonly as: string;
  readonly groups: readonly string[];
  readonly roles?: readonly string[];
  readonly ip: string | null;
  readonly method: string;
  /** Fields of the request, each as "Name: value". */
  readonly headers?: readonly string[];
  /** Which client certificate was shown, as rules name one: "cn=machine-7". */
  readonly clientCertificate?: string | null;
}

export interface ExplainAnswer {
  readonly text: string;
  readonly json: unknown;
}

export interface StatusAnswer {
  readonly version: string;
  readonly revision: string;
  readonly pid: number;
  readonly hosts: number;
  readonly uptimeSeconds: number;
}

export type Operations = PeopleOperations &
  TokenOperations &
  LinkOperations &
  CertificateOperations & {
    reload: () => Promise<ReloadAnswer>;
    /** A new key for assertions at once; the old ones stop counting. */
    'keys.rotate': () => Promise<{ readonly kid: string }>;
    status: () => Promise<StatusAnswer>;
    explain: (input: ExplainInput) => Promise<ExplainAnswer>;
  };

export interface OperationsDeps extends PeopleDeps {
  readonly tokens: ServiceTokens;
  readonly links: Links;
  readonly assertionKeys: AssertionKeys;
  readonly certificates: CertificateDeps;
  readonly reload: () => Promise<ReloadAnswer>;
  readonly prepared: () => Prepared;
  readonly revision: () => string;
  readonly version: string;
}

export function createOperations(deps: OperationsDeps): Operations {
  return {
    ...createPeopleOperations(deps),
    ...createTokenOperations(deps.tokens, deps.prepared),
    ...createLinkOperations(deps.links, deps.prepared),
    ...createCertificateOperations(deps.certificates),
    reload: deps.reload,
    async 'keys.rotate'() {
      await deps.assertionKeys.rotate();
      return { kid: deps.assertionKeys.current()?.kid ?? '' };
    },
    async status() {
      const hosts = deps.prepared().document.hosts.length;
      return {
        version: deps.version,
        revision: deps.revision(),
        pid: process.pid,
        hosts,
        uptimeSeconds: Math.round(process.uptime()),
      };
    },
    async explain(input) {
      const { identity, note } = await explainedIdentity(input, deps);
      return withNote(explain(deps.prepared().table, identity, input), note);
    },
  };
}

export function withNote(answer: ExplainAnswer, note: string | null): ExplainAnswer {
  return note === null ? answer : { ...answer, text: `${answer.text.trimEnd()}\nNote: ${note}\n` };
}

export function explain(table: RoutingTable, identity: Identity, input: ExplainInput): ExplainAnswer {
  const ip = input.ip === null ? null : normaliseIp(input.ip);
  if (input.ip !== null && ip === null)
    throw new PosternError('OPERATION_REFUSED', `Cannot explain: "${input.ip}" is not an IP address`);
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(input.method))
    throw new PosternError('OPERATION_REFUSED', `Cannot explain: "${input.method}" is not a request method`);
  // As people type it: "app.example.com/path".
  const url = input.url.includes('://') ? input.url : `https://${input.url}`;
  const headers = readFields(input.headers ?? []);
  const clientCertificate = readCertificate(input.clientCertificate ?? null);
  const method = input.method.toUpperCase();
  const now = Date.now();
  const explanation = explainRequest(table, { url, method, identity, ip, headers, clientCertificate, now });
  return { text: formatExplanation(explanation), json: explanationToJson(explanation) };
}

function readCertificate(text: string | null): ClientCertificate | null {
  if (text === null) return null;
  const match = parseCertificateMatch(text);
  if (match !== null) return certificateOf(match);
  const expected = 'write "cn=NAME", "email=ADDRESS", "dns=NAME", a SHA-256 fingerprint, or "*" for any';
  throw new PosternError('OPERATION_REFUSED', `Cannot explain: "${text}" names no client certificate; ${expected}`);
}

function readFields(lines: readonly string[]): HeaderBlock {
  const headers = new HeaderBlock();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    if (colon === -1 || !isToken(name) || !isFieldValue(value))
      throw new PosternError(
        'OPERATION_REFUSED',
        `Cannot explain: "${line}" is not a header field such as "X-Team: ops"`,
      );
    headers.append(name, value);
  }
  return headers;
}
