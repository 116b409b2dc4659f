/** Accounts at a CA (RFC 8555 section 7.3): made or found by their key, told of contacts, moved to a new key, ended. */
import { AcmeFailure, quoteWords } from './failure.ts';
import { signBinding, signKeyChange, type AccountKey, type Signer } from './jws.ts';
import { locationOf } from './location.ts';
import { accountShape } from './messages.ts';
import type { AcmeClient } from './client.ts';

export interface Binding {
  readonly keyId: string;
  /** base64url, as CAs hand it out. */
  readonly hmacKey: string;
}

const BINDING_PROBLEMS = new Set(['unauthorized', 'malformed', 'externalAccountRequired', 'badSignatureAlgorithm']);

export interface AccountRequest {
  readonly key: AccountKey;
  readonly email: string | null;
  readonly eab: Binding | null;
}

/** Makes the account of a key, or finds the one that it has; answers its URL. */
export async function createAccount(client: AcmeClient, request: AccountRequest, signal: AbortSignal): Promise<string> {
  const { key, email, eab } = request;
  const directory = await client.directory(signal);
  const step = `create an account at ${client.name}`;
  if (directory.meta?.externalAccountRequired === true && eab === null) {
    const problem = {
      type: 'externalAccountRequired',
      detail: 'This CA binds accounts to one that you have with it already',
      status: 403,
      identifier: null,
      instance: null,
      subproblems: [],
    };
    throw new AcmeFailure({ kind: 'refused', step, problem });
  }
  // Writing an `acme` section is the operator's agreement: the reference and the log say so.
  const payload = { termsOfServiceAgreed: true, ...contactsOf(email) };
  const bound = async (url: string): Promise<object> =>
    eab === null ? payload : { ...payload, externalAccountBinding: await signBinding(eab, key, url) };
  try {
    return await askForAccount(client, { key, payload, payloadFor: bound, step }, signal);
  } catch (error) {
    throw eab === null ? error : withBinding(error, eab);
  }
}

/** CAs say in many ways that they do not know a key id, or that its key is another one. */
function withBinding(error: unknown, { keyId }: Binding): unknown {
  if (!(error instanceof AcmeFailure) || !BINDING_PROBLEMS.has(error.problem?.type ?? '')) return error;
  const { kind, step, problem, retryAt } = error;
  const remedy = `check acme.eab: is ${quoteWords(keyId)} the key_id, and hmac_key its key, as the CA handed them out? Many are good for one account only`;
  return new AcmeFailure({ kind, step, problem, retryAt, remedy });
}

/** The URL of the account that a key has already; a failure of type accountDoesNotExist where it has none. */
export async function findAccount(client: AcmeClient, key: AccountKey, signal: AbortSignal): Promise<string> {
  const step = `find the account at ${client.name}`;
  return askForAccount(client, { key, payload: { onlyReturnExisting: true }, step }, signal);
}

interface AccountQuestion {
  readonly key: AccountKey;
  readonly payload: object;
  readonly payloadFor?: (url: string) => Promise<object>;
  readonly step: string;
}

async function askForAccount(client: AcmeClient, asked: AccountQuestion, signal: AbortSignal): Promise<string> {
  const { key, step, ...payload } = asked;
  const { newAccount: url } = await client.directory(signal);
  const { value, response } = await client.post(
    { url, ...payload, signer: { key, kid: null }, step },
    accountShape,
    signal,
  );
  const location = locationOf(response, url);
  if (location === null)
    throw new AcmeFailure({ kind: 'malformed', step, because: `${client.name} gives the account no URL` });
  if (value.status !== 'valid')
    throw new AcmeFailure({ kind: 'refused', step, because: `${client.name} has ${value.status} this account` });
  return location;
}

export async function updateContacts(
  client: AcmeClient,
  signer: Signer,
  email: string | null,
  signal: AbortSignal,
): Promise<void> {
  const payload = { contact: email === null ? [] : [`mailto:${email}`] };
  await postToAccount(client, { signer, payload, step: `tell ${client.name} the contact` }, signal);
}

/** After this no order is possible with the key, for ever. */
export async function deactivateAccount(client: AcmeClient, signer: Signer, signal: AbortSignal): Promise<void> {
  const step = `deactivate the account at ${client.name}`;
  await postToAccount(client, { signer, payload: { status: 'deactivated' }, step }, signal);
}

/** Section 7.3.5. Whoever holds the old key can do nothing any more. */
export async function changeAccountKey(
  client: AcmeClient,
  signer: Signer,
  newKey: AccountKey,
  signal: AbortSignal,
): Promise<void> {
  const { keyChange: url } = await client.directory(signal);
  const account = accountUrl(signer);
  const payloadFor = (to: string): Promise<object> => signKeyChange(account, { from: signer.key, to: newKey }, to);
  const step = `change the account key at ${client.name}`;
  await client.postRaw({ url, payload: null, payloadFor, signer, step }, signal);
}

async function postToAccount(
  client: AcmeClient,
  message: { signer: Signer; payload: object; step: string },
  signal: AbortSignal,
): Promise<void> {
  const { value } = await client.post({ url: accountUrl(message.signer), ...message }, accountShape, signal);
  if (value.status === 'valid' || 'status' in message.payload) return;
  throw new AcmeFailure({
    kind: 'refused',
    step: message.step,
    because: `${client.name} says that the account is ${quoteWords(value.status)}`,
  });
}

function accountUrl({ kid }: Signer): string {
  if (kid === null) throw new TypeError('Cannot speak for an account: its URL is not known');
  return kid;
}

function contactsOf(email: string | null): { contact?: string[] } {
  return email === null ? {} : { contact: [`mailto:${email}`] };
}
