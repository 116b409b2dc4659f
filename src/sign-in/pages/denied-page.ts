/**
 * The 403 of the rules, and the page for whom there is no app: names the account, offers another,
 * shows the request id; the rule only to whom the document lets know. Imports nothing heavy: edge workers make it themselves.
 */
import { textsFor } from '../texts/texts.ts';
import { providerNameOf, type NamedProvider } from './account-provider.ts';
import { formatFor, plainHeaders } from './error-page.ts';
import type { Brand } from './brand.ts';
import { html } from './html.ts';
import { pageAnswer, type PlainAnswer } from './page.ts';
import { unsaidNote, type UnsaidClaims } from './unsaid.ts';
import type { RefusingRule } from '../../policy/refusing-rule.ts';

export interface DeniedFacts {
  /** Left out: 403. */
  readonly status?: 403 | 503;
  /** `no-app`: visitors are led to apps of their own, and there is none for this one. Left out: the rules refuse. */
  readonly reason?: 'rules' | 'no-app';
  readonly host: string;
  readonly requestId: string;
  /** Who asked; null: nobody known, and signing in would not help. */
  readonly account: { readonly provider: string; readonly name: string; readonly displayName: string } | null;
  /** Of the document: which of them the account is of is said where it could be another. */
  readonly providers?: readonly NamedProvider[];
  /** Where another account can sign in, e.g. "/.postern/start?switch=1"; null: nowhere. */
  readonly switchUrl: string | null;
  /** The provider that was asked for another account and knows no way to ask the person; null or left out: it was not. */
  readonly sameAgainBy?: string | null;
  /** For those who may know; null or left out: nothing is said. */
  readonly rule?: RefusingRule | null;
  /** What the account's provider said nothing of, where that may be why. */
  readonly unsaid?: UnsaidClaims | null;
  /** Whether they may know what to change; left out: where they are told the rule. */
  readonly mayKnow?: boolean;
  readonly brand?: Brand;
  readonly accept?: string | null;
  readonly acceptLanguage?: string | null;
}

export function deniedPage(facts: DeniedFacts): PlainAnswer {
  const texts = textsFor(facts.acceptLanguage);
  const { account, status = 403, rule = null, unsaid = null, sameAgainBy = null } = facts;
  const isNoApp = facts.reason === 'no-app';
  const words = isNoApp ? texts.noApp : texts.denied;
  const format = formatFor(facts.accept === undefined ? 'text/html' : facts.accept);
  if (format !== 'html') {
    const isJson = format === 'json';
    const body = isJson
      ? `${JSON.stringify({ error: isNoApp ? 'no_app' : 'access_denied', status, message: words.title, ...rule, request_id: facts.requestId })}\n`
      : `${status} ${words.title}\n${texts.requestId} ${facts.requestId}\n`;
    return { status, headers: plainHeaders(isJson), body };
  }
  const main = html`<p class="status">${status}</p>
    <h1>${words.title}</h1>
    <p class="soft">${account === null && !isNoApp ? texts.denied.anonymous(facts.host) : words.text(facts.host)}</p>
    ${account !== null && personLine(texts.signedInAs, account, providerNameOf(texts, account.provider, facts.providers ?? []))}
    ${
      rule !== null &&
      html`<dl>
        ${(rule.tried ?? [rule]).map(
          (one) =>
            html`<dt>${texts.denied.rule}</dt>
              <dd class="mono">${one.rule}</dd>
              <dt>${texts.denied.reason}</dt>
              <dd>${one.reason}</dd> `,
        )}
      </dl>`
    }
    ${unsaid !== null && unsaidNote(texts, unsaid, facts.mayKnow ?? rule !== null)}
    ${sameAgainBy !== null && html`<p class="note">${texts.denied.sameAgain(sameAgainBy)}</p>`}
    <p class="soft">${words.ask}</p>
    ${facts.switchUrl !== null && html`<a class="button quiet" href="${facts.switchUrl}">${texts.useAnotherAccount}</a>`}`;
  const brand = facts.brand === undefined ? {} : { brand: facts.brand };
  return pageAnswer(status, { texts, title: words.title, main, requestId: facts.requestId, ...brand });
}

/** A person as a round initial and a name with a label above it, and whose account it is. Each is isolated: names run in any direction. */
export function personLine(
  label: string,
  person: { readonly name: string; readonly displayName: string },
  providerName: string | null = null,
): ReturnType<typeof html> {
  const shown = person.displayName === '' ? person.name : person.displayName;
  const initial = Array.from(shown)[0]?.toUpperCase() ?? '?';
  const suffix = shown !== person.name && html` <bdi class="soft">${person.name}</bdi>`;
  return html`<div class="who">
    <span class="badge" aria-hidden="true">${initial}</span
    ><span
      ><small><bdi>${label}</bdi></small
      ><bdi class="name">${shown}</bdi
      >${suffix}${providerName !== null && html` <bdi class="soft">${providerName}</bdi>`}</span
    >
  </div>`;
}
