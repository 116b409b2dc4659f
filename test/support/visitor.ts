/**
 * A visitor without a browser: keeps cookies as RFC 6265 says, follows redirects, fills in forms. Every
 * name resolves to 127.0.0.1, so that hosts of a document can be visited under their own names.
 */
import { request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';

export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface VisitOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
}

const NAVIGATION = {
  accept: 'text/html,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
};

export interface Visitor {
  /** One request, cookies included, redirects not followed. */
  readonly send: (url: string, options?: VisitOptions) => Promise<Visit>;
  /** A navigation: redirects followed, at most 20. */
  readonly open: (url: string) => Promise<Visit>;
  /** Sends the page's form (the first, or the one whose action holds `action`) with these fields, then follows. */
  readonly submit: (page: Visit, fields: Readonly<Record<string, string>>, action?: string) => Promise<Visit>;
  readonly cookieHeader: (url: string) => string;
  readonly cookies: Cookie[];
  /** Lets connections go that are kept. */
  readonly close: () => void;
}

export interface VisitorOptions {
  readonly ca?: string;
  /** Connections are used again, as browsers do; without it each request has one of its own. */
  readonly keepAlive?: boolean;
}

export function createVisitor(options: VisitorOptions = {}): Visitor {
  const jar: Cookie[] = [];
  const agent = options.keepAlive === true ? new HttpsAgent({ keepAlive: true, maxSockets: 2 }) : null;

  const send = async (address: string, visit: VisitOptions = {}): Promise<Visit> => {
    const url = new URL(address);
    const cookie = cookieHeader(jar, url);
    const headers = { ...(cookie === '' ? {} : { cookie }), ...visit.headers };
    const answer = await exchange(url, { ...visit, headers }, { ca: options.ca, agent });
    for (const line of answer.headers['set-cookie'] ?? []) store(jar, url, line);
    return answer;
  };
  const follow = async (first: Visit): Promise<Visit> => {
    let page = first;
    for (let hops = 0; ; hops++) {
      const next = nextOf(page);
      if (next === null) return page;
      if (hops === 20) throw new Error(`Cannot follow redirects: more than 20, last to "${next}"`);
      page = await send(new URL(next, page.url).href, { headers: NAVIGATION });
    }
  };
  return {
    send,
    cookies: jar,
    close: () => agent?.destroy(),
    cookieHeader: (url) => cookieHeader(jar, new URL(url)),
    open: async (url) => follow(await send(url, { headers: NAVIGATION })),
    async submit(page, fields, action = '') {
      const form = readForm(page, action);
      const body = new URLSearchParams({ ...form.fields, ...fields }).toString();
      if (form.method === 'get') {
        const target = new URL(form.action);
        target.search = body;
        return follow(await send(target.href, { headers: { ...NAVIGATION, 'sec-fetch-site': 'same-origin' } }));
      }
      const origin = new URL(page.url).origin;
      const headers = {
        ...NAVIGATION,
        'sec-fetch-site': 'same-origin',
        'content-type': 'application/x-www-form-urlencoded',
        origin,
      };
      return follow(await send(form.action, { method: 'POST', headers, body }));
    },
  };
}

/** Where a page leads by itself: a redirect, or what it says to browsers without script. */
export function nextOf({ status, headers, body }: Visit): string | null {
  if (status >= 300 && status < 400) return headers.location ?? null;
  const url = /<noscript><meta http-equiv="refresh" content="0; url=([^"]+)"/.exec(body)?.[1];
  return url === undefined ? null : unescapeHtml(url);
}

interface Connecting {
  readonly ca: string | undefined;
  readonly agent: HttpsAgent | null;
}

function exchange(url: URL, options: VisitOptions, { ca, agent }: Connecting): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const isSecure = url.protocol === 'https:';
    const send = isSecure ? httpsRequest : httpRequest;
    const tls = ca === undefined ? { rejectUnauthorized: false } : { ca };
    const { body } = options;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const settings = {
      host: '127.0.0.1',
      port: url.port || (isSecure ? 443 : 80),
      // RFC 6066 section 3: without a trailing dot.
      servername: url.hostname.replace(/\.$/, ''),
      path: url.pathname + url.search,
      method: options.method ?? 'GET',
      headers: { host: url.host, ...length, ...options.headers },
      agent: (isSecure && agent) || (false as const),
      ...tls,
    };
    const request = send(settings, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          url: url.href,
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function cookieHeader(jar: readonly Cookie[], url: URL): string {
  const sent = jar.filter(
    (cookie) =>
      (cookie.hostOnly ? url.hostname === cookie.domain : `.${url.hostname}`.endsWith(`.${cookie.domain}`)) &&
      // As browsers do: localhost is trustworthy without TLS.
      (!cookie.secure || url.protocol === 'https:' || url.hostname === 'localhost') &&
      (cookie.path === '/' ||
        url.pathname === cookie.path ||
        url.pathname.startsWith(cookie.path.replace(/\/?$/, '/'))),
  );
  return sent.map((cookie) => `${cookie.name}=${cookie.value}`).join('; ');
}

function store(jar: Cookie[], url: URL, line: string): void {
  const [pair = '', ...rest] = line.split(';').map((part) => part.trim());
  const attributes = new Map(
    rest.map((part) => [part.split('=')[0]?.toLowerCase() ?? '', part.slice(part.indexOf('=') + 1)]),
  );
  const name = pair.slice(0, pair.indexOf('='));
  const domain = attributes.get('domain')?.replace(/^\./, '');
  if (
    name.startsWith('__Host-') &&
    (domain !== undefined || attributes.get('path') !== '/' || !attributes.has('secure'))
  )
    return;
  if (domain !== undefined && !`.${url.hostname}`.endsWith(`.${domain}`)) return;
  const cookie: Cookie = {
    name,
    value: pair.slice(pair.indexOf('=') + 1),
    domain: domain ?? url.hostname,
    hostOnly: domain === undefined,
    path: attributes.get('path') ?? '/',
    secure: attributes.has('secure'),
  };
  const at = jar.findIndex(
    (one) => one.name === cookie.name && one.domain === cookie.domain && one.path === cookie.path,
  );
  if (at !== -1) jar.splice(at, 1);
  const expires = attributes.get('expires');
  const isGone = attributes.get('max-age') === '0' || (expires !== undefined && Date.parse(expires) <= Date.now());
  if (!isGone) jar.push(cookie);
}

export interface Form {
  readonly action: string;
  readonly method: string;
  readonly fields: Record<string, string>;
}

/** The first form whose action holds `wanted`, with what its fields hold. */
export function readForm(page: Visit, wanted = ''): Form {
  for (const [, attributes = '', inner = ''] of page.body.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    const action = unescapeHtml(/\baction="([^"]*)"/.exec(attributes)?.[1] ?? page.url);
    if (!action.includes(wanted)) continue;
    const fields: Record<string, string> = {};
    for (const [, input = ''] of inner.matchAll(/<input\b([^>]*)>/gi)) {
      const name = /\bname="([^"]*)"/.exec(input)?.[1];
      if (name !== undefined && !/type="(checkbox|radio|submit)"/.test(input)) {
        fields[name] = unescapeHtml(/\bvalue="([^"]*)"/.exec(input)?.[1] ?? '');
      }
    }
    const method = /\bmethod="([^"]*)"/i.exec(attributes)?.[1]?.toLowerCase() ?? 'get';
    return { action: new URL(action, page.url).href, method, fields };
  }
  throw new Error(
    `Cannot submit: no form${wanted === '' ? '' : ` to "${wanted}"`} on ${page.url} (status ${page.status})`,
  );
}

function unescapeHtml(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
