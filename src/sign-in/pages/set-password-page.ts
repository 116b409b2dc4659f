/** The page behind a one-time link: shows whose account it is, changes nothing until the form is sent. */
import type { Texts } from '../texts/texts.ts';
import { personLine } from './denied-page.ts';
import { html, type Html } from './html.ts';

export interface SetPasswordForm {
  readonly texts: Texts;
  readonly account: { readonly name: string; readonly displayName: string };
  readonly token: string;
  readonly formToken: string;
  readonly least: number;
  readonly problem: string | null;
}

export function setPasswordForm(form: SetPasswordForm): Html {
  const texts = form.texts.setPassword;
  const invalid = form.problem !== null && html` aria-invalid="true"`;
  return html`<h1>${texts.title}</h1>
    ${personLine(texts.forAccount, form.account)}
    <div aria-live="polite">
      ${form.problem !== null && html`<p class="note bad" id="problem" role="alert">${form.problem}</p>`}
    </div>
    <form method="post" action="/.postern/set-password">
      <input type="hidden" name="form" value="${form.formToken}" />
      <input type="hidden" name="token" value="${form.token}" />
      <input type="text" name="username" value="${form.account.name}" autocomplete="username" hidden readonly />
      <div class="field">
        <label for="password">${texts.password}</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="new-password"
          minlength="${form.least}"
          required
          autofocus
          aria-describedby="hint${form.problem !== null && ' problem'}"
          ${invalid}
        />
        <p class="hint" id="hint">${texts.hint(form.least)}</p>
      </div>
      <div class="field">
        <label for="again">${texts.repeat}</label>
        <input
          id="again"
          name="again"
          type="password"
          autocomplete="new-password"
          minlength="${form.least}"
          required${invalid}
        />
      </div>
      <button type="submit">${texts.submit}</button>
      <p class="hint">${texts.endsSessions}</p>
    </form>`;
}
