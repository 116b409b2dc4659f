/**
 * `POST /.postern/passkey` on the sign-in host: a passkey alone signs in, since the device has checked
 * the person too.
 */
import { rememberLocal } from './choose.ts';
import { answerRedirect, readForm, type Context } from './context.ts';
import { isFromOwnPage, readFormToken, readPreSession } from './form-guard.ts';
import { checkPasskey, passkeyAmr } from './passkeys.ts';
import { isNotTopLevel } from './request-kind.ts';
import { refuseForm } from './refusals.ts';
import { startAgain } from './second-step.ts';
import { refusePasskey } from './sign-in.ts';
import { shownFactor } from './shown-factor.ts';
import { signInCookie, signInSession } from './sign-in-session.ts';
import { openTicket } from './ticket.ts';

export async function postPasskey(context: Context): Promise<Response> {
  const { deps, headers, url, request } = context;
  const form = readForm(context);
  if (form === null || !isFromOwnPage(headers, url.origin) || isNotTopLevel(headers)) return refuseForm(context);
  const ticketText = form.get('ticket');
  if (ticketText !== null && openTicket(deps.seal, ticketText) === null) return refuseForm(context);
  const preSession = readPreSession(deps, request, url.isSecure);
  if (preSession === null || readFormToken(deps, preSession, form.get('form') ?? '') === null)
    return refusePasskey(context, ticketText, context.texts.signIn.expired);
  const options = { binding: preSession, needsVerification: true };
  const passkey = await checkPasskey(context, form.get('answer') ?? '', options);
  const account = passkey === null ? null : await deps.accounts.find(passkey.subject);
  const facts = { requestId: request.requestId, ip: request.ip, account: account?.name ?? null };
  if (passkey === null || account === null) {
    deps.report?.({ kind: 'refused', ...facts });
    return refusePasskey(context, ticketText, context.texts.secondStep.passkeyWrong);
  }
  const old = signInSession(context);
  if (old !== null) await deps.sessions.revoke(old.key);
  const amr = [passkeyAmr(passkey), 'user', 'mfa'];
  const factor = shownFactor(deps.factors, account.subject, passkey.id);
  const opened = await deps.accounts.openSignIn(account.subject, url.host, amr, { factor });
  if (opened === null && !deps.settings().hasLocalAccounts) return startAgain(ticketText);
  if (opened === null) {
    deps.report?.({ kind: 'disabled', ...facts });
    return refusePasskey(context, ticketText, context.texts.signIn.disabled);
  }
  deps.report?.({ kind: 'signed-in', ...facts });
  const target = ticketText === null ? '/' : `/.postern/sign-in?continue=signed-in&ticket=${ticketText}`;
  return answerRedirect(303, target, [signInCookie(context, opened), rememberLocal(context)]);
}
