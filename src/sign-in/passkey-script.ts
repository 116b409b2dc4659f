/** The one script of the sign-in host: hands a form's wish to the browser's WebAuthn and sends the answer with the form. */
export const PASSKEY_SCRIPT = `(() => {
  'use strict';
  if (!window.PublicKeyCredential) return;
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
