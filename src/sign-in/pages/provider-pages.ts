/** The chooser of providers, and what is said where one of them says no or nothing. Links, no script. */
import type { ProblemTexts, Texts } from '../texts/texts.ts';
import { html, type Html } from './html.ts';

export interface Choice {
  readonly label: string;
  readonly url: string;
  /** For emergencies, not for everybody. */
  readonly isQuiet: boolean;
}

export interface ChooserFacts {
  readonly texts: Texts;
  /** The app that the visitor came from. */
  readonly host: string | null;
  readonly problem: string | null;
  readonly choices: readonly Choice[];
  /** Who is signed in already, where another account is wanted. */
  readonly current: { readonly name: string; readonly continueUrl: string } | null;
}

export function chooserPage({ texts, host, problem, choices, current }: ChooserFacts): Html {
  return html`<h1>${texts.signIn.title}</h1>
    ${host !== null && html`<p class="lead">${texts.signIn.to(host)}</p>`}
    ${problem !== null && html`<p class="note bad" role="alert">${problem}</p>`}
    ${current !== null && html`<p class="note">${texts.provider.alreadyAs(current.name)}</p>`}
    <ul class="choices">
      ${choices.map(
        (choice) =>
          html`<li>
            <a class="${choice.isQuiet ? 'button quiet' : 'button'}" href="${choice.url}" rel="nofollow"
              >${texts.provider.with(choice.label)}</a
            >
          </li> `,
      )}
    </ul>
    ${current !== null && html`<a class="button quiet" href="${current.continueUrl}">${texts.signIn.continueAs(current.name)}</a>`}`;
}

export interface ProblemFacts {
  readonly texts: Texts;
  readonly label: string;
  readonly words: ProblemTexts;
  /** For whoever runs the site: what to change. */
  readonly operator: string | undefined;
  readonly againUrl: string;
  /** Null where there is no other way to sign in. */
  readonly otherUrl: string | null;
}

export function problemPage({ texts, label, words, operator, againUrl, otherUrl }: ProblemFacts): Html {
  return html`<h1>${words.title(label)}</h1>
    <p class="soft">${words.text(label)}</p>
    ${operator !== undefined && html`<p class="note">${operator}</p>`}
    <a class="button" href="${againUrl}" rel="nofollow">${words.again ?? texts.tryAgain}</a>
    ${otherUrl !== null && html`<a class="button quiet" href="${otherUrl}">${texts.provider.others}</a>`}`;
}
