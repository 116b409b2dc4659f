/** The second step of a sign-in, and the piece of a form that a passkey answers. */
import type { Texts } from '../texts/texts.ts';
import { personLine } from './denied-page.ts';
import { html, type Html } from './html.ts';

export interface SecondStepForm {
  readonly texts: Texts;
  readonly account: { readonly name: string; readonly displayName: string };
  readonly formToken: string;
  readonly pending: string | null;
  readonly ticket: string | null;
  /** An authenticator app is set up; recovery codes work either way. */
  readonly takesCodes: boolean;
  /** What the page asks the browser for; null without passkeys. */
  readonly passkey: unknown;
  readonly problem: string | null;
}

export function secondStepForm(form: SecondStepForm): Html {
  const texts = form.texts.secondStep;
  const described = form.problem !== null && html` aria-describedby="problem" aria-invalid="true"`;
  const hidden = html`<input type="hidden" name="form" value="${form.formToken}" />
    ${form.pending !== null && html`<input type="hidden" name="pending" value="${form.pending}" />`}
    ${form.ticket !== null && html`<input type="hidden" name="ticket" value="${form.ticket}" />`}`;
  return html`<h1>${texts.title}</h1>
    ${personLine(form.texts.setPassword.forAccount, form.account)}
    <div aria-live="polite">
      ${form.problem !== null && html`<p class="note bad" id="problem" role="alert">${form.problem}</p>`}
    </div>
    ${
      form.passkey !== null &&
      passkeyForm({
        action: '/.postern/second-step',
        wish: form.passkey,
        hidden,
        label: texts.usePasskey,
        failed: texts.passkeyFailed,
        isQuiet: form.takesCodes,
      })
    }
    <form method="post" action="/.postern/second-step">
      ${hidden}
      <div class="field">
        <label for="code">${form.takesCodes ? texts.code : texts.recoveryCode}</label>
        <input
          id="code"
          name="code"
          type="text"
          inputmode="${form.takesCodes ? 'numeric' : 'text'}"
          autocomplete="one-time-code"
          autocapitalize="none"
          spellcheck="false"
          maxlength="40"
          required
          autofocus${described}
        />
        ${form.takesCodes && html`<p class="hint">${texts.hint}</p>`}
      </div>
      <button type="submit" ${!form.takesCodes && html` class="quiet"`}>${texts.submit}</button>
    </form>`;
}

export interface PasskeyForm {
  readonly action: string;
  readonly wish: unknown;
  /** Further fields. */
  readonly hidden: Html;
  readonly label: string;
  readonly failed: string;
  readonly isQuiet: boolean;
}

/** Hidden until the page's script has found that the browser knows passkeys. */
export function passkeyForm(form: PasskeyForm): Html {
  return html`<form method="post" action="${form.action}" data-passkey="${JSON.stringify(form.wish)}" hidden>
    ${form.hidden}
    <input type="hidden" name="answer" value="" />
    <p class="note bad" role="alert" data-failed hidden>${form.failed}</p>
    <button type="submit" ${form.isQuiet && html` class="quiet"`}>${form.label}</button>
  </form>`;
}
