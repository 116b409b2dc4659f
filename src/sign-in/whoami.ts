/**
 * The built-in app: who you are, your session, and the header fields that an app behind Postern
 * receives, with a live WebSocket. Programs get the same as JSON. It shows nothing that the app behind
 * the route would not see, and no cookie.
 */
import type { Identity } from '../core/person.ts';
import { textsFor, type Texts } from './texts/texts.ts';
import { personLine } from './pages/denied-page.ts';
import { formatFor, plainHeaders } from './pages/error-page.ts';
import type { Brand } from './pages/brand.ts';
import { html, type Html } from './pages/html.ts';
import { pageAnswer, type HeaderList, type PlainAnswer } from './pages/page.ts';
import { groupTags, moment } from './pages/session-pages.ts';
import { WHOAMI_SCRIPT } from './whoami-script.ts';

export interface WhoamiFacts {
  readonly method: string;
  /** Canonical path below the route, and the query with its "?". */
  readonly path: string;
  readonly query: string;
  readonly host: string;
  readonly requestId: string;
  /** What comes before `path` in the visitor's URL: "" for a route "/*", "/who" under a stripped prefix. */
  readonly base?: string;
  readonly identity: Identity;
  readonly session: { readonly expiresAt: number; readonly lastSeenAt: number } | null;
  /** Exactly as an app would receive them. */
  readonly headers: HeaderList;
  /** "HTTP/2", "TLSv1.3" and so on; null where there is none. */
  readonly version: string;
  readonly tlsVersion: string | null;
  readonly ip: string | null;
  readonly accept: string | null;
  readonly acceptLanguage: string | null;
  readonly brand?: Brand;
}

/** The path of the live panel's WebSocket, below the route. */
export const WHOAMI_SOCKET_PATH = '/ws';

export function answerWhoami(facts: WhoamiFacts): PlainAnswer {
  if (facts.path === '/app.js') return script();
  if (formatFor(facts.accept) !== 'html')
    return { status: 200, headers: plainHeaders(true), body: `${JSON.stringify(asJson(facts), null, 2)}\n` };
  return renderWhoami(facts);
}

export function renderWhoami(facts: WhoamiFacts): PlainAnswer {
  const texts = textsFor(facts.acceptLanguage);
  const words = texts.whoami;
  const main = html`<h1>${words.title}</h1>
    <p class="lead">${words.lead}</p>
    <div class="grid">
      <section>${who(facts, texts)} ${session(facts, texts)} ${links(facts, texts)}</section>
      <section>${live(texts)}</section>
    </div>
    <h2>${words.request}</h2>
    <dl>
      <dt>${words.target}</dt>
      <dd class="mono">${facts.method} ${(facts.base ?? '') + facts.path + facts.query}</dd>
      <dt>${words.connection}</dt>
      <dd>${facts.version}${facts.tlsVersion !== null && ` · ${facts.tlsVersion}`}</dd>
      <dt>${words.address}</dt>
      <dd class="mono">${facts.ip ?? words.unknown}</dd>
    </dl>
    <h2>${words.headers}</h2>
    <div class="scroll">
      <table class="stack">
        <tbody>
          ${facts.headers.map(
            ([name, value]) =>
              html`<tr>
                <th scope="row">${name}</th>
                <td>${value}</td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>`;
  const brand = facts.brand === undefined ? {} : { brand: facts.brand };
  const parts = { texts, title: words.title, main, requestId: facts.requestId, isWide: true, ...brand };
  return pageAnswer(200, { ...parts, script: `${facts.base ?? ''}/app.js` }, { hasScript: true });
}

function who(facts: WhoamiFacts, texts: Texts): Html {
  const { identity } = facts;
  switch (identity.kind) {
    case 'person': {
      const { person } = identity;
      return html`${personLine(texts.signedInAs, person)}
        <dl>
          <dt>${texts.whoami.name}</dt>
          <dd><bdi>${person.name}</bdi></dd>
          ${
            person.email !== null &&
            html`<dt>${texts.whoami.email}</dt>
              <dd>${person.email}</dd>`
          }
          <dt>${texts.home.groups}</dt>
          <dd>${groupTags(person.groups, texts.home)}</dd>
          <dt>${texts.whoami.provider}</dt>
          <dd>${person.provider}</dd>
        </dl>`;
    }
    case 'service':
    case 'token':
      return personLine(texts.whoami.service, { name: identity.name, displayName: identity.name });
    default:
      return html`<p class="note">${texts.whoami.nobody}</p>`;
  }
}

function session(facts: WhoamiFacts, texts: Texts): Html | null {
  if (facts.session === null) return null;
  return html`<h2>${texts.whoami.session}</h2>
    <dl>
      <dt>${texts.home.until}</dt>
      <dd>${moment(facts.session.expiresAt)}</dd>
      <dt>${texts.whoami.lastSeen}</dt>
      <dd>${moment(facts.session.lastSeenAt)}</dd>
    </dl>`;
}

function links(facts: WhoamiFacts, texts: Texts): Html {
  if (facts.identity.kind === 'person')
    return html`<a class="button quiet narrow" href="/.postern/sign-out">${texts.home.signOut}</a>`;
  return html`<a class="button narrow" href="/.postern/start">${texts.home.signIn}</a>`;
}

function live(texts: Texts): Html {
  const words = texts.whoami;
  return html`<h2>${words.live}</h2>
    <p>
      <span class="dot" id="live-dot" aria-hidden="true"></span
      ><span id="live-state" role="status" data-open="${words.open}" data-closed="${words.closed}"
        >${words.closed}</span
      >
    </p>
    <div class="scroll"><pre id="live-log"></pre></div>
    <form id="live-form" class="line" hidden>
      <label for="live-text">${words.say}</label>
      <div class="row">
        <input id="live-text" type="text" maxlength="200" autocomplete="off" /><button type="submit" class="quiet">
          ${words.send}
        </button>
      </div>
    </form>
    <noscript><p class="hint">${words.noScript}</p></noscript>`;
}

function script(): PlainAnswer {
  const headers: [string, string][] = [
    ['Content-Type', 'text/javascript; charset=utf-8'],
    ['X-Content-Type-Options', 'nosniff'],
    ['Cache-Control', 'no-cache'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
  ];
  return { status: 200, headers, body: WHOAMI_SCRIPT };
}

function asJson(facts: WhoamiFacts): unknown {
  const { identity, session: life, method, host, version, tlsVersion, ip, requestId } = facts;
  const iso = (at: number): string => new Date(at).toISOString();
  return {
    identity,
    session: life === null ? null : { expires_at: iso(life.expiresAt), last_seen_at: iso(life.lastSeenAt) },
    request: {
      id: requestId,
      method,
      host,
      target: (facts.base ?? '') + facts.path + facts.query,
      version,
      tls: tlsVersion,
      ip,
    },
    headers: facts.headers,
  };
}
