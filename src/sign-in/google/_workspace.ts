/** A Google Workspace domain as the documents of its APIs describe it, behind the OpenID twin. For tests. */
import { generateKeyPairSync, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import type { ApiAnswer, ApiRequest } from '../oidc/_twin.ts';

export const ACCOUNT = 'robot@project.iam.gserviceaccount.com';
export const ADMIN = 'admin@corp.com';
export const SCOPE = 'https://www.googleapis.com/auth/';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** A key file of the service account. */
export function keyFile(tokenUri: string): string {
  return JSON.stringify({
    type: 'service_account',
    client_email: ACCOUNT,
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    private_key_id: 'key-1',
    token_uri: tokenUri,
  });
}

interface Grant {
  readonly scope: string;
  readonly sub?: string;
  readonly iss: string;
  readonly aud: string;
  readonly exp: number;
}

export class Workspace {
  /** Address of a group -> addresses of its members, nested ones included. */
  members: Record<string, string[]> = { 'dev@corp.com': ['alice@corp.com'], 'ops@corp.com': ['bob@corp.com'] };
  /** Members of other domains, and how they are. */
  guests: Record<string, string> = {};
  organizationIds: Record<string, string> = { 'alice@corp.com': 'E-1001' };
  /** Scopes that the domain allows the account. */
  allowed: string[] = [`${SCOPE}admin.directory.group.readonly`, `${SCOPE}admin.directory.user.readonly`];
  isDown = false;
  readonly grants: Grant[] = [];
  readonly asked: string[] = [];

  answer = (request: ApiRequest): ApiAnswer | null => {
    const { path } = request;
    if (path === '/grant') return this.#grant(new URLSearchParams(request.body));
    if (path === '/sts') return exchange(new URLSearchParams(request.body));
    if (path === '/workload-token') return { status: 200, body: { id: { x: 1 }, token: request.headers['x-who'] } };
    if (path === `/sa/serviceAccounts/${ACCOUNT}:generateAccessToken`)
      return { status: 200, body: { accessToken: request.token === 'ya29.federated' ? 'ya29.own' : 'none' } };
    if (!path.startsWith('/admin/directory/v1/')) return machine(request);
    this.asked.push(path);
    if (this.isDown) return { status: 503, body: {} };
    if (request.token !== 'ya29.directory') return { status: 401, body: {} };
    return this.#directory(path.slice('/admin/directory/v1/'.length), request.query);
  };

  /** The token endpoint, for statements that the account signed (RFC 7523) and for a user's own refresh token. */
  #grant(form: URLSearchParams): ApiAnswer {
    if (form.get('grant_type') === 'refresh_token')
      return { status: 200, body: { access_token: form.get('refresh_token') === '1//user' ? 'ya29.own' : 'none' } };
    const grant = readStatement(form.get('assertion') ?? '');
    if (grant === null || grant.iss !== ACCOUNT || !grant.aud.endsWith('/grant'))
      return { status: 400, body: { error: 'invalid_grant' } };
    this.grants.push(grant);
    const isOwn = grant.sub === undefined && grant.scope === `${SCOPE}cloud-platform`;
    if (isOwn) return { status: 200, body: { access_token: 'ya29.own', expires_in: 3_600 } };
    const isAllowed = grant.sub === ADMIN && grant.scope.split(' ').every((one) => this.allowed.includes(one));
    if (isAllowed) return { status: 200, body: { access_token: 'ya29.directory', expires_in: 3_600 } };
    const error_description = 'Client is unauthorized to retrieve access tokens using this method';
    return { status: 401, body: { error: 'unauthorized_client', error_description } };
  }

  #directory(path: string, query: URLSearchParams): ApiAnswer {
    const [what, id = '', verb, member = ''] = path.split('/').map(decodeURIComponent);
    if (what === 'users') {
      const value = this.organizationIds[id];
      const externalIds = [
        { type: 'account', value: 'x' },
        { type: 'organization', value },
      ];
      return { status: 200, body: value === undefined ? {} : { externalIds } };
    }
    if (id === '') return this.#groupsOf(query);
    const members = this.members[id];
    if (members === undefined) return { status: 404, body: {} };
    const status = this.guests[member];
    if (verb === 'members') return { status: status === undefined ? 404 : 200, body: { status } };
    if (!member.endsWith('@corp.com')) return { status: 400, body: {} };
    return { status: 200, body: { isMember: members.includes(member) } };
  }

  /** One a page. */
  #groupsOf(query: URLSearchParams): ApiAnswer {
    const person = query.get('userKey') ?? '';
    const mine = Object.keys(this.members).filter((group) => this.members[group]?.includes(person));
    const page = Number(query.get('pageToken') ?? 0);
    const next = page + 1 < mine.length ? { nextPageToken: String(page + 1) } : {};
    return { status: 200, body: { groups: mine.slice(page, page + 1).map((email) => ({ email })), ...next } };
  }
}

export const POOL = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s';

/** Google's Security Token Service, for the token `workload` of the pool (RFC 8693). */
function exchange(form: URLSearchParams): ApiAnswer {
  const said = [form.get('grant_type'), form.get('audience'), form.get('subject_token'), form.get('scope')];
  const wanted = ['urn:ietf:params:oauth:grant-type:token-exchange', POOL, 'workload', `${SCOPE}cloud-platform`];
  if (JSON.stringify(said) !== JSON.stringify(wanted)) return { status: 400, body: { error: 'invalid_grant' } };
  const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token';
  return { status: 200, body: { access_token: 'ya29.federated', issued_token_type, token_type: 'Bearer' } };
}

/** The metadata server of a machine, and the service that signs for accounts. */
function machine({ path, headers, token, body }: ApiRequest): ApiAnswer | null {
  const isMetadata = headers['metadata-flavor'] === 'Google';
  if (path.endsWith('/service-accounts/default/token') && isMetadata)
    return { status: 200, body: { access_token: 'ya29.machine' } };
  const isSigning = path === `/v1/projects/-/serviceAccounts/${encodeURIComponent(ACCOUNT)}:signJwt`;
  if (!isSigning || !['ya29.machine', 'ya29.own', 'ya29.federated'].includes(token)) return null;
  const { payload } = JSON.parse(body) as { payload: string };
  const input = `${encode('{"alg":"RS256"}')}.${encode(payload)}`;
  const signature = signBytes('sha256', Buffer.from(input), privateKey).toString('base64url');
  return { status: 200, body: { keyId: 'key-1', signedJwt: `${input}.${signature}` } };
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function readStatement(token: string): Grant | null {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const isSigned = verifyBytes(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    publicKey,
    Buffer.from(signature, 'base64url'),
  );
  return isSigned ? (JSON.parse(Buffer.from(payload, 'base64url').toString()) as Grant) : null;
}
