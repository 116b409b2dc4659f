/**
 * Passkeys (WebAuthn level 3) for local accounts: what a page asks the browser for, and whether what
 * came back is right. Challenges are sealed, bound to the browser, short-lived and work once;
 * the ceremonies themselves are checked by a library that is loaded when the first one comes.
 */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import type { Context } from './context.ts';
import type { SignInPasskey } from './ports.ts';

const CHALLENGE_LIFETIME_MS = 10 * 60_000;
const TIMEOUT_MS = 5 * 60_000;
const MAX_ANSWER = 20_000;
/** EdDSA, ES256, RS256: what authenticators have. */
const ALGORITHMS = [-8, -7, -257] as const;

/** What a page's script hands to the browser, as JSON; binary values are base64url. */
export interface PasskeyWish {
  readonly kind: 'get' | 'create';
  readonly options: Readonly<Record<string, unknown>>;
}

export interface CheckedPasskey {
  readonly id: string;
  readonly subject: string;
  /** The key lives in one device and cannot be copied. */
  readonly isDeviceBound: boolean;
}

/** RFC 8176: a key in hardware, or one that is synced. */
export function passkeyAmr(passkey: Pick<CheckedPasskey, 'isDeviceBound'>): 'hwk' | 'swk' {
  return passkey.isDeviceBound ? 'hwk' : 'swk';
}

/** No passkeys: the browser offers those that it has for this site, and the person must be verified. */
export function askForPasskey(
  context: Context,
  binding: string,
  passkeys: readonly { readonly credentialId: string; readonly transports: readonly string[] }[],
): PasskeyWish {
  return {
    kind: 'get',
    options: {
      challenge: mintChallenge(context, 'get', binding),
      rpId: context.url.host,
      timeout: TIMEOUT_MS,
      userVerification: passkeys.length === 0 ? 'required' : 'preferred',
      allowCredentials: passkeys.map(({ credentialId, transports }) => ({
        type: 'public-key',
        id: credentialId,
        transports,
      })),
    },
  };
}

export function offerPasskey(
  context: Context,
  binding: string,
  account: { readonly subject: string; readonly name: string; readonly displayName: string },
  known: readonly { readonly credentialId: string }[],
): PasskeyWish {
  const { brand } = context.settings;
  return {
    kind: 'create',
    options: {
      challenge: mintChallenge(context, 'create', binding),
      rp: { id: context.url.host, name: brand.name },
      user: {
        id: handleOf(account.subject),
        name: account.name,
        displayName: account.displayName,
      },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
      timeout: TIMEOUT_MS,
      attestation: 'none',
      excludeCredentials: known.map(({ credentialId }) => ({ type: 'public-key', id: credentialId })),
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
    },
  };
}

export interface CheckOptions {
  readonly binding: string;
  /** The device must have checked the person (PIN, finger, face): where the passkey stands alone. */
  readonly needsVerification: boolean;
}

/** Null for whatever is not a right answer, without saying why: the page says it all the same way. */
export async function checkPasskey(
  context: Context,
  answer: string,
  { binding, needsVerification }: CheckOptions,
): Promise<CheckedPasskey | null> {
  const { deps } = context;
  const response = readAnswer(answer) as AuthenticationResponseJSON | null;
  const passkey = response === null ? null : await deps.factors.findPasskey(response.id);
  if (response === null || passkey === null || isFramed(response)) return null;
  const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
  try {
    const { credentialId, publicKey, counter } = passkey.state;
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: (challenge) => isChallenge(context, 'get', binding, challenge),
      expectedOrigin: context.settings.signInUrl,
      expectedRPID: context.url.host,
      requireUserVerification: needsVerification,
      credential: { id: credentialId, publicKey: Buffer.from(publicKey, 'base64url'), counter },
    });
    const { subject, id } = passkey;
    const isSynced = authenticationInfo.credentialDeviceType === 'multiDevice';
    if (!isOf(response, subject, needsVerification) || isSynced !== (passkey.state.isSynced ?? isSynced)) return null;
    if (!verified || !(await takeChallenge(context, response, subject))) return null;
    if (!(await passkey.use(authenticationInfo.newCounter))) return null;
    return { id, subject, isDeviceBound: !isSynced };
  } catch {
    return null;
  }
}

/**
 * Section 7.2, step 6: whom the device takes it for is whose it is. Where nobody was named before, the device has to say so.
 */
function isOf({ response }: AuthenticationResponseJSON, subject: string, isAlone: boolean): boolean {
  const { userHandle } = response;
  if (userHandle === undefined || userHandle === '') return !isAlone;
  return userHandle === handleOf(subject);
}

/** By which authenticators know an account. */
function handleOf(subject: string): string {
  return Buffer.from(subject).toString('base64url');
}

/** What a new passkey is kept as; null where the answer is not right. */
export async function readNewPasskey(
  context: Context,
  answer: string,
  { binding, owner }: { readonly binding: string; readonly owner: string },
): Promise<SignInPasskey | null> {
  const response = readAnswer(answer) as RegistrationResponseJSON | null;
  if (response === null || isFramed(response)) return null;
  const { verifyRegistrationResponse } = await import('@simplewebauthn/server');
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: (challenge) => isChallenge(context, 'create', binding, challenge),
      expectedOrigin: context.settings.signInUrl,
      expectedRPID: context.url.host,
      requireUserVerification: false,
      supportedAlgorithmIDs: [...ALGORITHMS],
    });
    if (!verified || !(await takeChallenge(context, response, owner))) return null;
    const { id, publicKey, counter, transports } = registrationInfo.credential;
    return {
      credentialId: id,
      publicKey: Buffer.from(publicKey).toString('base64url'),
      counter,
      transports: transports ?? [],
      isSynced: registrationInfo.credentialDeviceType === 'multiDevice',
    };
  } catch {
    return null;
  }
}

/** Sections 7.1 and 7.2, `crossOrigin` and `topOrigin`: no page of ours is ever in a frame, and the library does not look. */
function isFramed(response: Answered): boolean {
  try {
    const data = readClientData(response);
    return data['topOrigin'] !== undefined || (data['crossOrigin'] ?? false) !== false;
  } catch {
    return true;
  }
}

type Answered = RegistrationResponseJSON | AuthenticationResponseJSON;

function readClientData({ response: { clientDataJSON } }: Answered): Record<string, unknown> & { challenge: string } {
  const data = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString('utf8')) as Record<string, unknown>;
  return { ...data, challenge: String(data['challenge']) };
}

type Ceremony = PasskeyWish['kind'];

function mintChallenge({ deps, now }: Context, ceremony: Ceremony, binding: string): string {
  return deps.seal.seal(`passkey-${ceremony}/${binding}`, now);
}

/** Whether it was made for this browser a short while ago, and nobody has shown it yet. */
async function isChallenge(
  { deps, now }: Context,
  ceremony: Ceremony,
  binding: string,
  challenge: string,
): Promise<boolean> {
  const madeAt = deps.seal.unseal(`passkey-${ceremony}/${binding}`, challenge);
  if (typeof madeAt !== 'number' || now - madeAt >= CHALLENGE_LIFETIME_MS || now < madeAt) return false;
  return !(await deps.sessions.wasSpent('passkey', challenge));
}

/** True once for each challenge. Not before the signature was right: anybody can send one that is not. */
function takeChallenge({ deps, now }: Context, response: Answered, owner: string): Promise<boolean> {
  return deps.sessions.spend('passkey', readClientData(response).challenge, {
    until: now + CHALLENGE_LIFETIME_MS,
    owner,
  });
}

/** The JSON that the page's script has written into the form. */
function readAnswer(text: string): { readonly id: string; readonly type: string; readonly response: object } | null {
  if (text === '' || text.length > MAX_ANSWER) return null;
  try {
    const value = JSON.parse(text) as Partial<Record<string, unknown>> | null;
    if (value === null || typeof value !== 'object') return null;
    const { id, type, response } = value;
    const isWhole =
      typeof id === 'string' && type === 'public-key' && typeof response === 'object' && response !== null;
    return isWhole ? { ...value, id, type, response } : null;
  } catch {
    return null;
  }
}
