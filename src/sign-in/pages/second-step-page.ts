/** The second step of a sign-in, and the piece of a form that a passkey answers. */
import type { Texts } from '../texts/texts.ts';
import { personLine } from './denied-page.ts';
import { html, type Html } from './html.ts';

const ACTION = '/.postern/second-step';

/** Keys of digits alone, as phones show them for a number, cannot type a recovery code: each has a field. */
export type CodeField = 'app' | 'recovery';

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
  /** The field that the problem is about; null: neither. */
  readonly field: CodeField | null;
}

export function secondStepForm(form: SecondStepForm): Html {
  const texts = form.texts.secondStep;
  const hidden = html`<input type="hidden" name="form" value="${form.formToken}" />
    ${form.pending !== null && html`<input type="hidden" name="pending" value="${form.pending}" />`}
    ${form.ticket !== null && html`<input type="hidden" name="ticket" value="${form.ticket}" />`}`;
  const hasProblem = form.problem !== null;
  // Folded, the field would be out of sight that the person has just typed into.
  const isRecovery = !form.takesCodes || (hasProblem && form.field === 'recovery');
  const fieldOf = (kind: CodeField): Html => {
    const isFirst = isRecovery === (kind === 'recovery');
    return codeForm(form.texts, { kind, hidden, isWrong: isFirst && hasProblem && form.field !== null, isFirst });
  };
  return html`<h1>${texts.title}</h1>
    ${personLine(form.texts.setPassword.forAccount, form.account)}
    <div aria-live="polite">
      ${hasProblem && html`<p class="note bad" id="problem" role="alert">${form.problem}</p>`}
    </div>
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
    ${form.takesCodes && fieldOf('app')}
    ${
      form.takesCodes
        ? html`<details${isRecovery && html` open`}>
            <summary>${texts.useRecovery}</summary>
            ${fieldOf('recovery')}
          </details>`
        : fieldOf('recovery')
    }`;
}

interface CodeForm {
  readonly kind: CodeField;
  readonly hidden: Html;
  /** What is said above is about this one. */
  readonly isWrong: boolean;
  readonly isFirst: boolean;
}

function codeForm({ secondStep: texts }: Texts, { kind, hidden, isWrong, isFirst }: CodeForm): Html {
  const id = kind === 'app' ? 'code' : 'recovery-code';
  const isApp = kind === 'app';
  return html`<form method="post" action="${ACTION}">
    ${hidden}
    <input type="hidden" name="field" value="${kind}" />
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
        ${isWrong && html` aria-describedby="problem" aria-invalid="true"`}
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
