/** Where a person looks after their second factors: what is set up, adding, removing, recovery codes. */
import type { Texts } from '../texts/texts.ts';
import { personLine } from './denied-page.ts';
import { html, trusted, type Html } from './html.ts';
import { passkeyForm } from './second-step-page.ts';
import { moment } from './session-pages.ts';

const ACTION = '/.postern/security';

export interface Frame {
  readonly texts: Texts;
  readonly formToken: string;
  readonly ticket: string | null;
}

export interface SecurityFacts extends Frame {
  readonly person: { readonly name: string; readonly displayName: string };
  readonly factors: readonly {
    readonly id: string;
    readonly kind: 'totp' | 'passkey';
    readonly name: string;
    readonly createdAt: number;
    readonly lastUsedAt: number | null;
  }[];
  readonly recoveryLeft: number;
  /** What the page asks the browser for to make a passkey. */
  readonly passkey: unknown;
  readonly notice: string | null;
  readonly problem: string | null;
  /** The app that asks for a second factor; null where the person came by themselves. */
  readonly host: string | null;
}

export function securityPage(facts: SecurityFacts): Html {
  const texts = facts.texts.security;
  const isEmpty = facts.factors.length === 0;
  return html`<h1>${texts.title}</h1>
    ${facts.host !== null && html`<p class="note">${texts.neededFor(facts.host)}</p>`}
    ${facts.notice !== null && html`<p class="note" role="status">${facts.notice}</p>`}
    ${facts.problem !== null && html`<p class="note bad" role="alert">${facts.problem}</p>`}
    ${personLine(facts.texts.signedInAs, facts.person)}
    ${isEmpty ? html`<p class="soft">${texts.none}</p>` : factorList(facts)}
    <h2>${texts.add}</h2>
    <form method="get" action="${ACTION}">
      <input type="hidden" name="add" value="totp" />
      ${ticketField(facts)}
      <button type="submit" ${!isEmpty && html` class="quiet"`}>${texts.addTotp}</button>
    </form>
    ${passkeyForm({
      action: ACTION,
      wish: facts.passkey,
      hidden: html`${guard(facts, 'passkey')}
        <div class="field">
          <label for="passkey-name">${texts.passkeyName}</label>
          <input id="passkey-name" name="name" type="text" maxlength="40" autocomplete="off" />
        </div>`,
      label: texts.addPasskey,
      failed: facts.texts.secondStep.passkeyFailed,
      isQuiet: true,
    })}
    ${!isEmpty && recovery(facts)}
    <a class="button plain" href="/">${facts.texts.goHome}</a>`;
}

function factorList(facts: SecurityFacts): Html {
  const texts = facts.texts.security;
  return html`<ul class="factors">
    ${facts.factors.map(
      (factor) =>
        html`<li>
          <span
            ><strong>${factor.name}</strong
            ><small
              >${factor.kind === 'totp' ? texts.totp : texts.passkey} · ${texts.lastUsed}
              ${factor.lastUsedAt === null ? texts.never : moment(factor.lastUsedAt)}</small
            ></span
          >
          <form method="post" action="${ACTION}">
            ${guard(facts, 'remove')}
            <input type="hidden" name="id" value="${factor.id}" />
            <button type="submit" class="quiet" aria-label="${texts.removeNamed(factor.name)}">${texts.remove}</button>
          </form>
        </li>`,
    )}
  </ul>`;
}

function recovery(facts: SecurityFacts): Html {
  const texts = facts.texts.security;
  return html`<h2>${texts.recovery}</h2>
    <p class="soft">${texts.recoveryLeft(facts.recoveryLeft)}</p>
    <form method="post" action="${ACTION}">
      ${guard(facts, 'recovery')}
      <button type="submit" class="quiet">${texts.newRecovery}</button>
    </form>`;
}

export interface TotpFacts extends Frame {
  readonly secret: string;
  readonly sealedSecret: string;
  /** The modules of the QR code, row by row; true is dark. */
  readonly code: readonly (readonly boolean[])[];
  /** As typed before. */
  readonly name: string;
  readonly problem: string | null;
}

export function addTotpPage(facts: TotpFacts): Html {
  const texts = facts.texts.security;
  const described = facts.problem !== null && html` aria-describedby="problem" aria-invalid="true"`;
  return html`<h1>${texts.addTotp}</h1>
    <p class="lead">${texts.scan}</p>
    ${qrCode(facts.code, texts.qrLabel)}
    <p class="soft">${texts.typeInstead} <code class="secret">${spaced(facts.secret)}</code></p>
    ${facts.problem !== null && html`<p class="note bad" id="problem" role="alert">${facts.problem}</p>`}
    <form method="post" action="${ACTION}">
      ${guard(facts, 'totp')}
      <input type="hidden" name="secret" value="${facts.sealedSecret}" />
      <div class="field">
        <label for="code">${facts.texts.secondStep.code}</label>
        <input
          id="code"
          name="code"
          type="text"
          inputmode="numeric"
          autocomplete="one-time-code"
          maxlength="12"
          required
          autofocus${described}
        />
      </div>
      <div class="field">
        <label for="name">${texts.nameLabel}</label>
        <input id="name" name="name" type="text" value="${facts.name}" maxlength="40" autocomplete="off" />
      </div>
      <button type="submit">${texts.confirm}</button>
    </form>
    <a class="button plain" href="${ACTION}">${texts.back}</a>`;
}

/** Shown once: nothing of it is kept but hashes. */
export function recoveryPage(texts: Texts, codes: readonly string[], continueUrl: string): Html {
  return html`<h1>${texts.security.recovery}</h1>
    <p class="lead">${texts.security.keep}</p>
    <ol class="codes">
      ${codes.map((code) => html`<li><code>${code}</code></li>`)}
    </ol>
    <a class="button" href="${continueUrl}">${texts.security.kept}</a>`;
}

/** A session that is older asks for the password again before anything is changed. */
export function confirmPage(frame: Frame, person: SecurityFacts['person'], problem: string | null): Html {
  const texts = frame.texts.security;
  const described = problem !== null && html` aria-describedby="problem" aria-invalid="true"`;
  return html`<h1>${texts.title}</h1>
    <p class="lead">${texts.confirmFirst}</p>
    ${personLine(frame.texts.signedInAs, person)}
    ${problem !== null && html`<p class="note bad" id="problem" role="alert">${problem}</p>`}
    <form method="post" action="${ACTION}">
      ${guard(frame, 'confirm')}
      <input type="text" name="username" value="${person.name}" autocomplete="username" hidden readonly />
      <div class="field">
        <label for="password">${frame.texts.signIn.password}</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="current-password"
          required
          autofocus${described}
        />
      </div>
      <button type="submit">${texts.confirm}</button>
    </form>
    <a class="button plain" href="/">${frame.texts.goHome}</a>`;
}

function guard(frame: Frame, intent: string): Html {
  return html`<input type="hidden" name="form" value="${frame.formToken}" />
    <input type="hidden" name="do" value="${intent}" />
    ${ticketField(frame)}`;
}

function ticketField({ ticket }: Frame): Html | null {
  return ticket === null ? null : html`<input type="hidden" name="ticket" value="${ticket}" />`;
}

function spaced(secret: string): string {
  return secret.replaceAll(/(.{4})(?=.)/g, '$1 ');
}

/** Dark on white in dark mode too: not every camera reads the inverse. */
function qrCode(rows: TotpFacts['code'], label: string): Html {
  const size = rows.length;
  const path = rows.map((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')).join('')).join('');
  return html`<svg class="qr" viewBox="-3 -3 ${size + 6} ${size + 6}" role="img" aria-label="${label}">
    <rect x="-3" y="-3" width="${size + 6}" height="${size + 6}" fill="#fff" />
    ${trusted(`<path d="${path}" fill="#000"/>`)}
  </svg>`;
}
