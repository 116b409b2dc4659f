/** What people read where a sign-in did not work: what happened, what to do, and whom to ask. */
import type { Texts } from '../../sign-in/texts/texts.ts';
import { html, type Html } from '../../sign-in/pages/html.ts';

export interface ProblemPageFacts {
  readonly texts: Texts;
  readonly status: number;
  readonly title: string;
  readonly text: string;
  /** For whoever runs the site. */
  readonly operator: string | null;
  /** Who signed in, where that account is not let in. */
  readonly account: string | null;
  /** The cause, with `show-debug-on-error`. */
  readonly debug: string | null;
  /** A way on: label and address of ours; null: there is none. */
  readonly next: { readonly label: string; readonly url: string } | null;
}

export function problemPage(facts: ProblemPageFacts): Html {
  const { texts, operator, account, debug, next } = facts;
  return html`<p class="status">${facts.status}</p>
    <h1>${facts.title}</h1>
    <p class="soft">${facts.text}</p>
    ${account !== null && html`<p class="soft">${texts.signedInAs} <bdi class="name">${account}</bdi></p>`}
    ${operator !== null && html`<p class="note">${operator}</p>`}
    ${debug !== null && html`<p class="note bad mono">${debug}</p>`}
    ${next !== null && html`<a class="button" href="${next.url}" rel="nofollow">${next.label}</a>`}`;
}
