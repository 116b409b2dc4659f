/** The sign-in form. Without script; what was typed as name stays, the password never does. */
import type { Texts } from '../texts/texts.ts';
import { html, type Html } from './html.ts';
import { passkeyForm } from './second-step-page.ts';

export interface SignInForm {
  readonly texts: Texts;
  /** The app that the visitor came from. */
  readonly host: string | null;
  readonly formToken: string;
  readonly ticket: string | null;
  readonly switchAccount: boolean;
  readonly name: string;
  readonly problem: string | null;
  /** Why the form is there though somebody is signed in. */
  readonly notice: string | null;
  /** What the page asks the browser for; null where nobody has a passkey. */
  readonly passkey: unknown;
  /** Who is signed in already, where another account is wanted. */
  readonly current: { readonly name: string; readonly continueUrl: string } | null;
  /** The page with the other ways to sign in; null where there is none. */
  readonly othersUrl: string | null;
}

export function signInForm(form: SignInForm): Html {
  const texts = form.texts.signIn;
  const hasProblem = form.problem !== null;
  const described = hasProblem && html` aria-describedby="problem" aria-invalid="true"`;
  const nameFirst = form.name === '';
  return html`<h1>${texts.title}</h1>
    ${form.host !== null && html`<p class="lead">${texts.to(form.host)}</p>`}
    <div aria-live="polite">
      ${hasProblem && html`<p class="note bad" id="problem" role="alert">${form.problem}</p>`}
    </div>
    ${form.notice !== null && !hasProblem && html`<p class="note">${form.notice}</p>`}
    ${form.current !== null && html`<p class="note">${texts.alreadyAs(form.current.name)}</p>`}
    <form method="post" action="/.postern/sign-in">
      <input type="hidden" name="form" value="${form.formToken}" />
      ${form.ticket !== null && html`<input type="hidden" name="ticket" value="${form.ticket}" />`}
      ${form.switchAccount && html`<input type="hidden" name="switch" value="1" />`}
      <div class="field">
        <label for="name">${texts.name}</label>
        <input
          id="name"
          name="name"
          type="text"
          value="${form.name}"
          autocomplete="username"
          autocapitalize="none"
          autocorrect="off"
          spellcheck="false"
          maxlength="256"
          required${nameFirst && html` autofocus`}${described}
        />
      </div>
      <div class="field">
        <label for="password">${texts.password}</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="current-password"
          required${!nameFirst && html` autofocus`}${described}
        />
      </div>
      <button type="submit">${texts.submit}</button>
      ${form.current !== null && html`<a class="button quiet" href="${form.current.continueUrl}">${texts.continueAs(form.current.name)}</a>`}
    </form>
    ${
      form.passkey !== null &&
      passkeyForm({
        action: '/.postern/passkey',
        wish: form.passkey,
        hidden: html`<input type="hidden" name="form" value="${form.formToken}" />
          ${form.ticket !== null && html`<input type="hidden" name="ticket" value="${form.ticket}" />`}`,
        label: form.texts.secondStep.signInWithPasskey,
        failed: form.texts.secondStep.passkeyFailed,
        isQuiet: true,
      })
    }
    ${form.othersUrl !== null && html`<a class="button plain" href="${form.othersUrl}">${form.texts.provider.others}</a>`}`;
}
