/** Shows what CAs ask for: tokens and certificates through every worker. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { PosternError } from '../core/errors.ts';
import { serverNameOf, type ChallengeAnswers } from '../certs/acme/challenge.ts';
import { writeChallengeCertificate } from '../certs/x509-writer.ts';
import type { ChallengeAnswer } from '../edge/challenge-board.ts';

export interface ChallengeStage {
  readonly showChallenge: (answer: ChallengeAnswer) => Promise<void>;
  readonly hideChallenge: (id: string) => void;
}

const VALID_MS = 86_400_000;

export function createChallengeAnswers(stage: ChallengeStage): ChallengeAnswers {
  const showOnEdge = async (answer: ChallengeAnswer): Promise<() => Promise<void>> => {
    await stage.showChallenge(answer);
    return async () => stage.hideChallenge(answer.id);
  };
  return {
    async show(task) {
      const id = randomUUID();
      if (task.type === 'http-01')
        return showOnEdge({ kind: 'http', id, token: task.token, body: task.keyAuthorization });
      if (task.type === 'tls-alpn-01')
        return showOnEdge({ kind: 'tls', id, ...certificateFor(task.name, task.digest) });
      throw new PosternError('ACME_FAILED', `Cannot answer dns-01 for "${task.name}": no DNS provider is configured`);
    },
  };
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
