/**
 * Workload identity (`"type": "external_account"`): a token that the machine has from elsewhere (a file that Kubernetes
 * keeps fresh, an address that gives one) is exchanged at Google's STS (RFC 8693), and where the file says so that
 * again for one of a service account. Signatures of AWS, programs and client certificates as a source are refused.
 */
import { readTextAtMost } from '../../core/read-at-most.ts';
import { askApiFor } from '../oauth/api.ts';
import { Outage, Refusal } from '../oauth/failures.ts';
import { isMap, type Claims } from '../oauth/json.ts';
import { createTokenEndpoint } from '../oauth/token-endpoint.ts';
import type { Clock } from '../../core/clock.ts';
import type { ProviderHttp } from '../provider-http.ts';

const STS = 'https://sts.googleapis.com/v1/token';
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const IMPERSONATION = /\/serviceAccounts\/([^/:]+):generateAccessToken$/;
/** One hour is what Google allows without a special right. */
const LIFETIME = '3600s';

export interface ExternalDeps {
  readonly http: ProviderHttp;
  readonly clock: Clock;
}

/** An access token of the scope, for what the machine runs as. */
export async function byExternalAccount(deps: ExternalDeps, file: Claims, scope: string): Promise<string> {
  const text = (name: string): string => (typeof file[name] === 'string' ? file[name] : '');
  const [audience, subjectType] = [text('audience'), text('subject_token_type')];
  if (audience === '' || subjectType === '')
    throw new Refusal('the workload identity file lacks "audience" or "subject_token_type"');
  const form = {
    grant_type: GRANT,
    audience,
    scope,
    requested_token_type: ACCESS_TOKEN,
    subject_token_type: subjectType,
    subject_token: await subjectToken(deps, file['credential_source']),
  };
  const url = safeUrl(text('token_url') || STS, 'token_url');
  const { accessToken } = await createTokenEndpoint(deps.http, deps.clock).ask({ url, form, ways: [nobody] });
  const impersonation = text('service_account_impersonation_url');
  if (impersonation === '') return accessToken;
  const account = await askApiFor(deps.http, {
    url: safeUrl(impersonation, 'service_account_impersonation_url'),
    accessToken,
    body: JSON.stringify({ scope: [scope], lifetime: LIFETIME }),
  });
  if (typeof account['accessToken'] !== 'string') throw new Refusal('Google gave no token of the service account');
  return account['accessToken'];
}

/** The service account that the file leads to; null: none. */
export function externalPrincipal(file: Claims): string | null {
  const url = file['service_account_impersonation_url'];
  const name = typeof url === 'string' ? IMPERSONATION.exec(url)?.[1] : undefined;
  return name === undefined ? null : decodeURIComponent(name);
}

/** The pool knows who it is by the subject token alone. */
const nobody = (): { headers: Record<string, string>; form: Record<string, string> } => ({ headers: {}, form: {} });

async function subjectToken({ http }: ExternalDeps, source: unknown): Promise<string> {
  if (!isMap(source)) throw new Refusal('the workload identity file lacks "credential_source"');
  const { file, url, headers, format } = source;
  if (typeof file === 'string')
    return read(
      await readTextAtMost(file).catch((error: unknown) => {
        throw new Outage('the token file of the workload identity cannot be read', error);
      }),
      format,
    );
  if (typeof url !== 'string' || source['environment_id'] !== undefined)
    throw new Refusal(
      'the workload identity file takes its token from AWS, a program or a certificate: of these sources none is taken, "file" and "url" are; or use the key file of a service account',
    );
  // Machines give it over plain HTTP, at an address of their own.
  const response = await http.fetch(url, { headers: textsOf(headers) });
  if (response.status !== 200) throw new Outage(`the source of the workload token answered ${response.status}`);
  return read(await response.text(), format);
}

function read(text: string, format: unknown): string {
  const { type = 'text', subject_token_field_name: field } = isMap(format) ? format : {};
  const token = type === 'json' ? fieldOf(text, field) : text.trim();
  if (token === '') throw new Refusal('the source of the workload token holds none');
  return token;
}

/** Its words could be the token. */
function fieldOf(text: string, field: unknown): string {
  try {
    const value: unknown = JSON.parse(text);
    if (isMap(value) && typeof field === 'string' && typeof value[field] === 'string') return value[field];
  } catch {
    // Told below.
  }
  return '';
}

function textsOf(headers: unknown): Record<string, string> {
  const pairs = isMap(headers) ? Object.entries(headers) : [];
  return Object.fromEntries(pairs.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
}

/** A token that goes out in the clear is anybody's. Loopback is a test's, or a proxy's on the machine. */
function safeUrl(text: string, name: string): string {
  const url = URL.parse(text);
  const isLocal = url?.protocol === 'http:' && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url?.protocol === 'https:' || isLocal) return text;
  throw new Refusal(`the workload identity file names a "${name}" that is no https:// address`);
}
