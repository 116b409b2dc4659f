/** Shows what CAs ask for: tokens and certificates through every worker, TXT records at a DNS provider. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { PosternError } from '../core/errors.ts';
import { serverNameOf, type AnswerSource, type ChallengeTask } from '../certs/acme/challenge.ts';
import { writeChallengeCertificate } from '../certs/x509-writer.ts';
import type { TxtPublisher } from '../certs/dns/dns-provider.ts';
import type { TxtPublishers } from './txt-publishers.ts';
import type { Logger } from '../core/log.ts';
import type { ChallengeAnswer } from '../edge/challenge-board.ts';

export interface ChallengeStage {
  readonly showChallenge: (answer: ChallengeAnswer) => Promise<void>;
  readonly hideChallenge: (id: string) => void;
}

export interface ChallengeAnswersDeps {
  readonly stage: ChallengeStage;
  readonly providers: Pick<TxtPublishers, 'get' | 'fingerprintOf'>;
  readonly log: Logger;
}

type Hide = () => Promise<void>;

const VALID_MS = 86_400_000;
/** A record is taken away also where the order was given up: with a time limit of its own. */
const WITHDRAW_MS = 60_000;
/** While Postern ends, nobody waits for a slow provider: what is left stands in the journal. */
const WITHDRAW_AT_END_MS = 5_000;

export function createChallengeAnswers(deps: ChallengeAnswersDeps): AnswerSource {
  const { stage } = deps;
  const showOnEdge = async (answer: ChallengeAnswer): Promise<Hide> => {
    await stage.showChallenge(answer);
    return async () => stage.hideChallenge(answer.id);
  };
  return {
    fingerprintOf: (dns) => (dns === null ? '' : deps.providers.fingerprintOf(dns)),
    answersBy: (dns) => ({
      async show(task, signal) {
        const id = randomUUID();
        if (task.type === 'http-01')
          return showOnEdge({ kind: 'http', id, token: task.token, body: task.keyAuthorization });
        if (task.type === 'tls-alpn-01')
          return showOnEdge({ kind: 'tls', id, ...certificateFor(task.name, task.digest) });
        if (task.type === 'dns-persist-01') return async () => {};
        const publisher = dns === null ? null : deps.providers.get(dns);
        if (publisher === null)
          throw new PosternError(
            'ACME_FAILED',
            `Cannot answer ${task.type} for "${task.name}": no DNS provider is configured`,
          );
        return publish(task, publisher, deps.log, signal);
      },
    }),
  };
}

async function publish(
  { record, value }: Extract<ChallengeTask, { record: string }>,
  publisher: TxtPublisher,
  log: Logger,
  signal: AbortSignal,
): Promise<Hide> {
  const withdraw = async (): Promise<void> => {
    try {
      const most = signal.aborted ? WITHDRAW_AT_END_MS : WITHDRAW_MS;
      await publisher.withdraw(record, value, AbortSignal.timeout(most));
    } catch (error) {
      log.warn(
        { code: 'ACME_FAILED', record, err: error },
        'A TXT record could not be removed; it is tried again later',
      );
    }
  };
  try {
    await publisher.publish(record, value, signal);
    return withdraw;
  } catch (error) {
    await withdraw();
    throw error;
  }
}

function certificateFor(name: string, digest: Buffer): { serverName: string; certificatePem: string; keyPem: string } {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Date.now();
  const certificatePem = writeChallengeCertificate({
    name,
    digest,
    notBefore: now - VALID_MS,
    notAfter: now + VALID_MS,
    ...keys,
  });
  const keyPem = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { serverName: serverNameOf(name), certificatePem, keyPem };
}
