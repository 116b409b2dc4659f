/**
 * The one script of the sign-in host. It lets what stands after "#" survive the forms, as it survives redirects by itself:
 * many an app's links are made of it, and no server ever sees it. And it hands a form's wish to the browser's WebAuthn and sends
 * the answer with the form. Without it the pages work, and lead to the app's first page.
 */
import { toResponse } from './context.ts';

const PAGE_SCRIPT = `(() => {
  'use strict';
  const { hash } = location;
  if (hash.length > 1) {
    for (const [kind, name] of [['form', 'action'], ['a', 'href']]) {
      for (const one of document.querySelectorAll(kind + '[' + name + '^="/.postern/"]'))
        one.setAttribute(name, one.getAttribute(name) + hash);
    }
  }

  if (!window.PublicKeyCredential) {
    for (const note of document.querySelectorAll('[data-no-passkey]')) note.hidden = false;
    return;
  }
  const toBytes = (text) =>
    Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const withBytes = (list) => list.map((one) => ({ ...one, id: toBytes(one.id) }));

  const ask = async ({ kind, options }) => {
    const publicKey = { ...options, challenge: toBytes(options.challenge) };
    if (kind === 'get') {
      publicKey.allowCredentials = withBytes(options.allowCredentials);
      return navigator.credentials.get({ publicKey });
    }
    publicKey.user = { ...options.user, id: toBytes(options.user.id) };
    publicKey.excludeCredentials = withBytes(options.excludeCredentials);
    return navigator.credentials.create({ publicKey });
  };

  const toJson = (credential) => {
    const { response } = credential;
    const answer = { clientDataJSON: toText(response.clientDataJSON) };
    if (response.attestationObject) {
      answer.attestationObject = toText(response.attestationObject);
      answer.transports = response.getTransports ? response.getTransports() : [];
    } else {
      answer.authenticatorData = toText(response.authenticatorData);
      answer.signature = toText(response.signature);
      if (response.userHandle) answer.userHandle = toText(response.userHandle);
    }
    return JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      clientExtensionResults: {},
      response: answer,
    });
  };

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    form.hidden = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const failed = form.querySelector('[data-failed]');
      try {
        if (failed) failed.hidden = true;
        const credential = await ask(JSON.parse(form.dataset.passkey));
        form.elements.answer.value = toJson(credential);
        form.submit();
      } catch {
        if (failed) failed.hidden = false;
      }
    });
  }
})();
`;

export const PAGE_SCRIPT_PATH = '/.postern/page.js';

export function sendPageScript(): Response {
  const headers: [string, string][] = [
    ['Content-Type', 'text/javascript; charset=utf-8'],
    ['X-Content-Type-Options', 'nosniff'],
    ['Cache-Control', 'no-cache'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
  ];
  return toResponse({ status: 200, headers, body: PAGE_SCRIPT });
}
