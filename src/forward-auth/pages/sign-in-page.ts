/**
 * The sign-in page: a button to the provider, a form for the password file, both with the way back. One
 * small script, allowed by its hash, keeps the part after "#", which no server ever sees.
 */
import { hash } from 'node:crypto';
import type { Texts } from '../../sign-in/texts/texts.ts';
import { html, trusted, type Html } from '../../sign-in/pages/html.ts';

export interface SignInFacts {
  readonly texts: Texts;
  /** "/oauth2". */
  readonly prefix: string;
  readonly redirect: string;
  /** Host of the app, where it is another one. */
  readonly host: string | null;
  /** Null: no button. */
  readonly provider: string | null;
  readonly hasForm: boolean;
  /** As it was typed. */
  readonly user: string;
  readonly problem: string | null;
  /** The operator's HTML, or a text of ours. */
  readonly banner: Html | null;
}

const FRAGMENT_SCRIPT =
  'if(location.hash)for(const i of document.getElementsByName("rd"))i.value=i.value.split("#",1)[0]+location.hash';
const SCRIPT_ELEMENT = trusted(`<script>${FRAGMENT_SCRIPT}</script>`);

/** Source expression for `script-src`. */
export const FRAGMENT_SCRIPT_SOURCE: string = `'sha256-${hash('sha256', FRAGMENT_SCRIPT, 'base64')}'`;

export function signInPage(facts: SignInFacts): Html {
  const { texts, host, banner, provider, hasForm } = facts;
  return html`<h1>${texts.signIn.title}</h1>
    ${host !== null && html`<p class="lead">${texts.signIn.to(host)}</p>`}
    ${banner !== null && html`<div class="note">${banner}</div>`} ${provider !== null && providerForm(facts, provider)}
    ${provider !== null && hasForm && html`<p class="or"><span>${texts.forwardAuth.or}</span></p>`}
    ${hasForm && passwordForm(facts)} ${SCRIPT_ELEMENT}`;
}

function providerForm({ texts, prefix, redirect }: SignInFacts, provider: string): Html {
  return html`<form method="get" action="${prefix}/start">
    <input type="hidden" name="rd" value="${redirect}" /><button type="submit">${texts.provider.with(provider)}</button>
  </form>`;
}

function passwordForm({ texts, prefix, redirect, user, problem, provider }: SignInFacts): Html {
  const words = texts.signIn;
  const described = problem !== null && html` aria-describedby="problem" aria-invalid="true"`;
  return html`<form method="post" action="${prefix}/sign_in">
    <input type="hidden" name="rd" value="${redirect}" />
    <div aria-live="polite">
      ${problem !== null && html`<p class="note bad" id="problem" role="alert">${problem}</p>`}
    </div>
    <div class="field">
      <label for="username">${words.name}</label>
      <input
        id="username"
        name="username"
        type="text"
        value="${user}"
        autocomplete="username"
        autocapitalize="none"
        autocorrect="off"
        spellcheck="false"
        maxlength="256"
        required${described}
      />
    </div>
    <div class="field">
      <label for="password">${words.password}</label>
      <input id="password" name="password" type="password" autocomplete="current-password" required${described} />
    </div>
    <button type="submit" ${provider !== null && trusted(' class="quiet"')}>${words.submit}</button>
  </form>`;
}
