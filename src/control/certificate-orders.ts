/**
 * An operator orders certificates now, or rehearses an order at a place for trials; each step is told while it runs,
 * and each certificate has its answer.
 */
import { KNOWN_CAS } from '../config/presets/acme-cas.ts';
import { bareHost, coversName } from '../certs/names.ts';
import { kindIn, type AcmeCa } from '../certs/issuance/wanted.ts';
import { describeProgress } from './order-progress.ts';
import { refusal } from './refusal.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { IssuanceStatus } from '../certs/issuance/status.ts';

export interface OrderAnswer {
  readonly names: readonly string[];
  readonly ok: boolean;
  readonly message: string;
}

/** Told while an operation runs. */
export type Report = (text: string) => void;

export interface RenewInput {
  /** A host name or a serial number; not given: whatever is due. */
  readonly name?: string;
  readonly dryRun?: boolean;
  /** Where an order is rehearsed. */
  readonly ca?: string;
}

export async function renew(
  issuance: Issuance | null,
  input: RenewInput,
  report: Report,
): Promise<readonly OrderAnswer[]> {
  if (issuance === null) throw refusal('Cannot renew: the document has no "acme" section');
  const chosen = choose(issuance, input.name);
  if (input.dryRun === true) return rehearse(issuance, chosen, input.ca, report);
  const stop = issuance.onProgress(({ subject, progress }) => {
    if (chosen.some(({ wanted }) => wanted.subject === subject)) report(`${subject}: ${describeProgress(progress)}`);
  });
  try {
    if (input.name === undefined) return await renewDue(issuance, report);
    return await Promise.all(chosen.map((status) => orderOne(issuance, status)));
  } finally {
    stop();
  }
}

/** Asks the CAs when they want renewals, then waits for whatever is due. */
async function renewDue(issuance: Issuance, report: Report): Promise<readonly OrderAnswer[]> {
  report('Asking the CAs when they want certificates to be renewed');
  await issuance.askForAdvice(true);
  const due = issuance.status().filter((status) => status.isOrdering || status.nextAt <= Date.now());
  return Promise.all(due.map((status) => orderOne(issuance, status)));
}

function choose(issuance: Issuance, text: string | undefined): readonly IssuanceStatus[] {
  const all = issuance.status();
  if (text === undefined) return all;
  const name = bareHost(text);
  const exact = all.filter(
    ({ wanted, issued }) => wanted.names.includes(name) || issued?.serial === text.toLowerCase(),
  );
  const found = exact.length > 0 ? exact : all.filter(({ wanted }) => coversName(wanted.names, name));
  if (found.length === 0)
    throw refusal(`Cannot order a certificate for "${text}": no host of the document wants one from a CA`);
  return found;
}

async function orderOne(issuance: Issuance, { wanted }: IssuanceStatus): Promise<OrderAnswer> {
  const outcome = await issuance.order(wanted.subject);
  const answer = (ok: boolean, message: string): OrderAnswer => ({ names: wanted.names, ok, message });
  switch (outcome?.kind) {
    case 'issued':
    case 'found': {
      const until = new Date(outcome.issued.entry.notAfter).toISOString().slice(0, 10);
      return answer(true, `${kindIn(wanted)}certificate of ${outcome.issued.issuer}, good until ${until}`);
    }
    case 'failed':
      return answer(false, outcome.error.message);
    case 'locked':
      return answer(false, 'another process orders it at the moment');
    default:
      return answer(false, 'the document does not want it any more');
  }
}

const STAGING: ReadonlyMap<string, string> = new Map([['letsencrypt', 'letsencrypt-staging']]);

async function rehearse(
  issuance: Issuance,
  chosen: readonly IssuanceStatus[],
  ca: string | undefined,
  report: Report,
): Promise<readonly OrderAnswer[]> {
  const answers: OrderAnswer[] = [];
  for (const { wanted } of chosen) {
    const [first] = wanted.policy.cas;
    if (first === undefined) continue;
    const outcome = await issuance
      .rehearse(wanted, stagingOf(first, ca), (progress) => report(`${wanted.subject}: ${describeProgress(progress)}`))
      .then(
        () => ({ ok: true, message: 'an order would succeed; nothing was kept' }),
        (error: unknown) => ({ ok: false, message: (error as Error).message }),
      );
    answers.push({ names: wanted.names, ...outcome });
  }
  return answers;
}

/** Where an order may be tried without using up the limits of the real CA. */
function stagingOf(ca: AcmeCa, given: string | undefined): AcmeCa {
  const own = KNOWN_CAS.find((one) => one.directory === ca.directory);
  const word = given ?? STAGING.get(own?.word ?? '') ?? (own?.word === 'letsencrypt-staging' ? own.word : undefined);
  const known = KNOWN_CAS.find((one) => one.word === word);
  if (known !== undefined) return { ...ca, name: known.name, directory: known.directory, eab: null };
  if (word !== undefined && URL.canParse(word) && new URL(word).protocol === 'https:')
    return { ...ca, name: new URL(word).host, directory: word };
  throw refusal(
    `Cannot rehearse an order: no place for trials is known of ${ca.name}; name one by --ca, such as "letsencrypt-staging"`,
  );
}
