/** The second step of a sign-in, and the piece of a form that a passkey answers. */
import type { Texts } from '../texts/texts.ts';
import { personLine } from './denied-page.ts';
import { html, type Html } from './html.ts';

const ACTION = '/.postern/second-step';

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
  const hidden = html`<input type="hidden" name="form" value="${form.formToken}" />
    ${form.pending !== null && html`<input type="hidden" name="pending" value="${form.pending}" />`}
    ${form.ticket !== null && html`<input type="hidden" name="ticket" value="${form.ticket}" />`}`;
  const problem = form.problem !== null;
  return html`<h1>${texts.title}</h1>
    ${personLine(form.texts.setPassword.forAccount, form.account)}
    <div aria-live="polite">${problem && html`<p class="note bad" id="problem" role="alert">${form.problem}</p>`}</div>
    ${
      form.passkey !== null &&
      html`${passkeyForm({
          action: ACTION,
          wish: form.passkey,
          hidden,
          label: texts.usePasskey,
          failed: texts.passkeyFailed,
          isQuiet: form.takesCodes,
        })}
        <noscript><p class="note">${texts.noPasskey}</p></noscript>
        <p class="note" data-no-passkey hidden>${texts.noPasskey}</p>`
    }
    ${form.takesCodes && codeForm(form.texts, { kind: 'app', hidden, problem, isFirst: true })}
    ${
      form.takesCodes
        ? html`<details>
            <summary>${texts.useRecovery}</summary>
            ${codeForm(form.texts, { kind: 'recovery', hidden, problem: false, isFirst: false })}
          </details>`
        : codeForm(form.texts, { kind: 'recovery', hidden, problem, isFirst: true })
    }`;
}

interface CodeForm {
  /** Keys of digits alone, as phones show them for a number, cannot type a recovery code. */
  readonly kind: 'app' | 'recovery';
  readonly hidden: Html;
  readonly problem: boolean;
  readonly isFirst: boolean;
}

function codeForm({ secondStep: texts }: Texts, { kind, hidden, problem, isFirst }: CodeForm): Html {
  const id = kind === 'app' ? 'code' : 'recovery-code';
  const isApp = kind === 'app';
  return html`<form method="post" action="${ACTION}">
    ${hidden}
    <div class="field">
      <label for="${id}">${isApp ? texts.code : texts.recoveryCode}</label>
      <input
        id="${id}"
        name="code"
        type="text"
        inputmode="${isApp ? 'numeric' : 'text'}"
        autocomplete="${isApp ? 'one-time-code' : 'off'}"
        autocapitalize="none"
        spellcheck="false"
        maxlength="40"
        required
        ${isFirst && html` autofocus`}
        ${problem && html` aria-describedby="problem" aria-invalid="true"`}
      />
    </div>
    <button type="submit" ${!isApp && html` class="quiet"`}>${texts.submit}</button>
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
