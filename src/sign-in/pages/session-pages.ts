/** The start page of the sign-in host, and the pages around signing out. */
import { LINK_PROVIDER } from '../../core/person.ts';
import type { Texts } from '../texts/texts.ts';
import { personLine } from './denied-page.ts';
import { html, type Html } from './html.ts';

const MOST_GROUPS = 8;

export interface HomeFacts {
  readonly texts: Texts;
  readonly person: {
    readonly name: string;
    readonly displayName: string;
    readonly email: string | null;
    readonly groups: readonly string[];
  };
  readonly expiresAt: number;
  readonly apps: readonly { readonly name: string; readonly url: string }[];
  readonly formToken: string;
  readonly notice: string | null;
  /** An account of Postern's own: its second factors are looked after here. */
  readonly isLocal: boolean;
  /** Whose account it is; null where nobody could mistake it. */
  readonly providerName: string | null;
}

export function homePage(facts: HomeFacts): Html {
  const texts = facts.texts.home;
  const { person } = facts;
  return html`<h1>${texts.title}</h1>
    ${facts.notice !== null && html`<p class="note" role="status">${facts.notice}</p>`}
    ${personLine(person.email ?? facts.texts.signedInAs, person, facts.providerName)}
    <dl>
      <dt>${texts.groups}</dt>
      <dd>${groupTags(person.groups, texts)}</dd>
      <dt>${texts.until}</dt>
      <dd>${moment(facts.expiresAt)}</dd>
    </dl>
    ${
      facts.apps.length > 0 &&
      html`<h2>${texts.apps}</h2>
        <ul class="apps">
          ${facts.apps.map((app) => html`<li><a href="${app.url}">${app.name}</a></li>`)}
        </ul>`
    }
    ${facts.isLocal && html`<a class="button quiet" href="/.postern/security">${facts.texts.security.open}</a>`}
    ${signOutForm(facts.texts, facts.formToken, { look: 'quiet' })}`;
}

/** Directories put people into hundreds of groups: the first stand there, the others unfold. */
export function groupTags(groups: readonly string[], texts: Texts['home']): Html {
  if (groups.length === 0) return html`<span class="soft">${texts.noGroups}</span>`;
  if (groups.length <= MOST_GROUPS + 2) return tags(groups);
  const others = groups.slice(MOST_GROUPS);
  return html`${tags(groups.slice(0, MOST_GROUPS))}
    <details>
      <summary>${texts.moreGroups(others.length)}</summary>
      ${tags(others)}
    </details>`;
}

function tags(groups: readonly string[]): Html {
  return html`<span class="tags">${groups.map((group) => html`<bdi class="tag">${group}</bdi>`)}</span>`;
}

export function moment(at: number): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`;
}

export function signOutPage(
  texts: Texts,
  person: { readonly provider: string; readonly name: string; readonly displayName: string },
  { formToken, providerName }: { readonly formToken: string; readonly providerName: string | null },
): Html {
  // Whoever came by a link is one of many.
  const form = signOutForm(texts, formToken, { hasElsewhere: person.provider !== LINK_PROVIDER });
  return html`<h1>${texts.signOut.title}</h1>
    <p class="lead">${texts.signOut.text}</p>
    ${personLine(texts.signedInAs, person, providerName)} ${form}
    <a class="button plain" href="/">${texts.signOut.stay}</a>`;
}

export function signOutForm(
  texts: Texts,
  formToken: string,
  { look = 'loud', hasElsewhere = true }: { readonly look?: 'loud' | 'quiet'; readonly hasElsewhere?: boolean } = {},
): Html {
  return html`<form method="post" action="/.postern/sign-out">
    <input type="hidden" name="form" value="${formToken}" />
    <button type="submit" class="${look}">${texts.signOut.here}</button>
    ${hasElsewhere && html`<button type="submit" class="quiet" name="everywhere" value="1">${texts.signOut.everywhere}</button>`}
  </form>`;
}

export function signedOutPage(texts: Texts, isEverywhere: boolean): Html {
  return html`<h1>${texts.signOut.doneTitle}</h1>
    <p class="lead" role="status">${isEverywhere ? texts.signOut.doneEverywhere : texts.signOut.done}</p>
    <a class="button quiet" href="/.postern/sign-in?choose=1">${texts.signOut.signInAgain}</a>`;
}
