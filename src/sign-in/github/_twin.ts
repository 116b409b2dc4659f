/**
 * A GitHub Enterprise Server on loopback that answers as GitHub's documentation says: OAuth with PKCE, users,
 * e-mail addresses, organisations and teams in pages, restricted organisations, limits, revoked tokens.
 */
import { hash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TwinAccount {
  readonly id: number;
  login: string;
  name?: string;
  emails?: { email: string; primary: boolean; verified: boolean }[];
  organisations?: string[];
  /** "acme/platform". */
  teams?: string[];
}

interface Code {
  readonly account: TwinAccount;
  readonly challenge: string;
  readonly redirectUri: string;
}

export class GithubTwin {
  url = '';
  readonly clientId = 'Iv1.twin';
  readonly clientSecret = 'github-secret';
  /** Who signs in next. */
  account: TwinAccount = { id: 1, login: 'Alice' };
  /** Organisations that restrict third-party apps: only their membership answers 403. */
  restricted: Set<string> = new Set();
  /** Organisations that want their single sign-on first. */
  ssoRequired: Set<string> = new Set();
  /** Organisations that answer listed addresses alone. */
  addressListed: Set<string> = new Set();
  /** Organisations that the GitHub App is not installed in. */
  withoutApp: Set<string> = new Set();
  /** Every API answer is a used-up limit that ends then, in seconds of the epoch. */
  limitedUntil: number | null = null;
  /** Every API answer is a secondary limit, which may come without a word of when it ends. */
  isSecondarilyLimited = false;
  /** The app's owner has made a new client secret. */
  hasNewSecret = false;
  /** It has no app of this client id: of those it says no more than that there is none. */
  knowsNoApp = false;
  /** A path of the API that the app has no permission for. */
  forbidden: string | null = null;
  /** Of organisations, by their login; others count on. */
  numbers: Record<string, number> = {};
  /** Every API answer has this status. */
  failsWith: number | null = null;
  /** Waited for before the API answers somebody. */
  hold: (login: string) => Promise<void> = () => Promise.resolve();
  authorizationError: string | null = null;
  /** Where "next" links lead instead. */
  evilLink: string | null = null;
  expiresIn: number | null = null;
  /** "acme/app": who may do what. */
  repositories: Record<string, { private: boolean; members: Record<string, 'pull' | 'push'> }> = {};
  /** Of an operator, not of a person. */
  readonly operatorToken = 'ghp_operator';
  /** Answers as Gitea and Forgejo do: their names, their path, no links. */
  isGitea = false;
  readonly requests: string[] = [];
  readonly authorizations: URLSearchParams[] = [];
  readonly #codes = new Map<string, Code>();
  readonly #tokens = new Map<string, TwinAccount>();
  readonly #renewals = new Map<string, TwinAccount>();
  #server: Server | null = null;

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((done) => this.#server?.close(done) ?? done(null));
  }

  /** The person presses "Authorize": the address that the browser is sent back to. */
  visit(authorizationUrl: string): string {
    const query = new URL(authorizationUrl).searchParams;
    this.authorizations.push(query);
    const redirectUri = query.get('redirect_uri') ?? '';
    const back = new URL(redirectUri);
    back.searchParams.set('state', query.get('state') ?? '');
    if (this.authorizationError !== null) back.searchParams.set('error', this.authorizationError);
    else {
      const code = randomUUID().replaceAll('-', '').slice(0, 20);
      this.#codes.set(code, { account: this.account, challenge: query.get('code_challenge') ?? '', redirectUri });
      back.searchParams.set('code', code);
    }
    return back.href;
  }

  /** The person takes the app's access back, in the settings of GitHub. */
  revokeTokens(): void {
    this.#tokens.clear();
    this.#renewals.clear();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    this.requests.push(`${request.method} ${url.pathname}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (url.pathname === '/login/oauth/access_token') {
      if (this.knowsNoApp) {
        send(response, 404, { error: 'Not Found' });
        return;
      }
      send(response, 200, this.#token(new URLSearchParams(Buffer.concat(chunks).toString())));
      return;
    }
    await this.hold(this.#accountOf(request)?.login ?? '');
    this.#api(request, response, url);
  }

  #accountOf(request: IncomingMessage): TwinAccount | undefined {
    return this.#tokens.get((request.headers.authorization ?? '').replace(/^(?:Bearer|token) /i, ''));
  }

  #token(form: URLSearchParams): unknown {
    if (form.get('client_id') !== this.clientId || form.get('client_secret') !== this.clientSecret || this.hasNewSecret)
      return { error: 'incorrect_client_credentials' };
    const account = form.get('grant_type') === 'refresh_token' ? this.#renew(form) : this.#redeem(form);
    if (typeof account === 'string') return { error: account };
    const token = `gho_${randomUUID()}`;
    this.#tokens.set(token, account);
    const answer = { access_token: token, scope: 'read:org,read:user,user:email', token_type: 'bearer' };
    if (this.expiresIn === null) return answer;
    const renewal = `ghr_${randomUUID()}`;
    this.#renewals.set(renewal, account);
    return { ...answer, expires_in: this.expiresIn, refresh_token: renewal };
  }

  #renew(form: URLSearchParams): TwinAccount | string {
    const text = form.get('refresh_token') ?? '';
    const account = this.#renewals.get(text);
    this.#renewals.delete(text);
    return account ?? 'bad_refresh_token';
  }

  #redeem(form: URLSearchParams): TwinAccount | string {
    const text = form.get('code') ?? '';
    const code = this.#codes.get(text);
    this.#codes.delete(text);
    if (code === undefined) return 'bad_verification_code';
    if (code.redirectUri !== form.get('redirect_uri')) return 'redirect_uri_mismatch';
    const challenge = hash('sha256', form.get('code_verifier') ?? '', 'base64url');
    return code.challenge === '' || challenge === code.challenge ? code.account : 'bad_verification_code';
  }

  #api(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const path = url.pathname.replace(this.isGitea ? '/api/v1' : '/api/v3', '');
    const account = this.#accountOf(request);
    if (this.limitedUntil !== null) {
      const fields = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(this.limitedUntil) };
      send(response, 403, { message: 'API rate limit exceeded' }, fields);
    } else if (this.isSecondarilyLimited) {
      const message = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';
      send(response, 403, { message });
    } else if (this.failsWith !== null) send(response, this.failsWith, { message: 'Server Error' });
    else if (path.startsWith('/repos/')) this.#repository(response, request, account, path);
    else if (account === undefined) send(response, 401, { message: 'Bad credentials' });
    else if (path === this.forbidden) send(response, 403, { message: 'Resource not accessible by integration' });
    else if (path === '/user')
      send(response, 200, { id: account.id, login: account.login, name: account.name ?? null });
    else if (path === '/user/emails') this.#page(response, url, account.emails ?? []);
    else if (path === '/user/orgs') this.#page(response, url, this.#organisationsOf(account));
    else if (path === '/user/teams') this.#page(response, url, this.#teamsOf(account));
    else if (path.startsWith('/user/memberships/orgs/'))
      this.#membership(response, account, path.split('/').at(-1) ?? '');
    else if (path === '/' || path === '') send(response, 200, {});
    else send(response, 404, { message: 'Not Found' });
  }

  /** What is private is not there for those who may not see it. */
  #repository(
    response: ServerResponse,
    request: IncomingMessage,
    account: TwinAccount | undefined,
    path: string,
  ): void {
    const [, , owner, name, what, login] = path.split('/');
    const repository = this.repositories[`${owner}/${name}`];
    const isOperator = /^(?:Bearer|token) (.*)$/.exec(request.headers.authorization ?? '')?.[1] === this.operatorToken;
    if (account === undefined && !isOperator) send(response, 401, { message: 'Bad credentials' });
    else if (repository === undefined) send(response, 404, { message: 'Not Found' });
    else if (what === 'collaborators') {
      const isMember = isOperator && Object.hasOwn(repository.members, login ?? '');
      response.writeHead(isMember ? 204 : 404).end();
    } else {
      const right = repository.members[account?.login ?? ''];
      if (repository.private && right === undefined) send(response, 404, { message: 'Not Found' });
      else
        send(response, 200, {
          private: repository.private,
          permissions: { push: right === 'push', pull: !repository.private || right !== undefined },
        });
    }
  }

  #isHidden(organisation: string): boolean {
    const name = organisation.toLowerCase();
    return [this.restricted, this.ssoRequired, this.addressListed, this.withoutApp].some((set) => set.has(name));
  }

  #organisationsOf(account: TwinAccount): unknown[] {
    return (account.organisations ?? [])
      .filter((one) => !this.#isHidden(one))
      .map((name) => (this.isGitea ? { name, full_name: `The ${name}` } : { login: name, id: this.#numberOf(name) }));
  }

  #numberOf(organisation: string): number {
    return (this.numbers[organisation.toLowerCase()] ??= 1_000 + Object.keys(this.numbers).length);
  }

  #teamsOf(account: TwinAccount): unknown[] {
    return (account.teams ?? []).map((team) => {
      const [login, slug] = team.split('/');
      return this.isGitea
        ? { name: slug, organization: { name: login } }
        : { slug, name: `The ${slug}`, organization: { login } };
    });
  }

  #membership(response: ServerResponse, account: TwinAccount, name: string): void {
    if (this.ssoRequired.has(name)) {
      const fields = { 'x-github-sso': `required; url=${this.url}/orgs/${name}/sso` };
      send(response, 403, { message: 'Resource protected by organization SAML enforcement.' }, fields);
    } else if (this.withoutApp.has(name)) send(response, 403, { message: 'Resource not accessible by integration' });
    else if (this.addressListed.has(name)) {
      const message = `Although you appear to have the correct authorization credentials, the \`${name}\` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.`;
      send(response, 403, { message });
    } else if (this.restricted.has(name)) {
      const message = `Although you appear to have the correct authorization credentials, the \`${name}\` organization has enabled OAuth App access restrictions, meaning that data access to third-parties is limited.`;
      send(response, 403, { message });
    } else if ((account.organisations ?? []).some((one) => one.toLowerCase() === name)) {
      send(response, 200, {
        state: 'active',
        role: 'member',
        organization: { login: name, id: this.#numberOf(name) },
      });
    } else send(response, 404, { message: 'Not Found' });
  }

  /** In pages, with `Link` as GitHub writes it. */
  #page(response: ServerResponse, url: URL, items: readonly unknown[]): void {
    const size = this.isGitea ? 30 : Number(url.searchParams.get('per_page') ?? 30);
    const page = Number(url.searchParams.get('page') ?? 1);
    const fields: Record<string, string> = {};
    const hasNext = page * size < items.length && !this.isGitea;
    if (hasNext || this.evilLink !== null) {
      const next = new URL(url);
      next.searchParams.set('page', String(page + 1));
      const last = new URL(url);
      last.searchParams.set('page', String(Math.ceil(items.length / size)));
      fields['link'] = `<${this.evilLink ?? next.href}>; rel="next", <${last.href}>; rel="last"`;
    }
    send(response, 200, items.slice((page - 1) * size, page * size), fields);
  }
}

function send(response: ServerResponse, status: number, body: unknown, fields: Record<string, string> = {}): void {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...fields })
    .end(JSON.stringify(body));
}
