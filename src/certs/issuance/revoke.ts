/**
 * Revokes a certificate at its CA, by the key of its account; where that is gone, or the CA does not take its word, by
 * the certificate's own, which vouches as well (RFC 8555 section 7.6). A leaked key is no time to look for an account.
 */
import { revokeCertificate } from '../acme/chain.ts';
import { AcmeFailure } from '../acme/failure.ts';
import { accountKeyOf, type Signer } from '../acme/jws.ts';
import type { RevocationReason } from '../acme/revocation-reasons.ts';
import type { CaSessions } from './ca-sessions.ts';
import type { Issued } from './issued.ts';
import type { AcmeCa } from './wanted.ts';

export interface Revocation {
  readonly issued: Issued;
  readonly ca: AcmeCa;
  readonly reason: RevocationReason;
}

/** The account is not the one that ordered it, or at its end. */
const NOT_BELIEVED = new Set(['unauthorized', 'accountDoesNotExist']);

export async function revokeAtCa(
  { issued, ca, reason }: Revocation,
  sessions: Pick<CaSessions, 'known' | 'clientOf'>,
  signal: AbortSignal,
): Promise<void> {
  const client = sessions.clientOf(ca);
  const certificatePem = issued.stored.chain;
  let refusal: AcmeFailure | null = null;
  for (const signer of [await accountOf(ca, sessions), await ownSigner(issued)]) {
    if (signer === null) continue;
    try {
      await revokeCertificate(client, { certificatePem, reason, signer }, signal);
      return;
    } catch (error) {
      if (!(error instanceof AcmeFailure) || !NOT_BELIEVED.has(error.problem?.type ?? '')) throw refusal ?? error;
      refusal ??= error;
    }
  }
  const step = `revoke the certificate for "${issued.stored.subject}"`;
  const because = 'its account is not in this data folder any more, and ACME cannot sign with its kind of key';
  throw refusal ?? new AcmeFailure({ kind: 'refused', step, because });
}

async function accountOf(ca: AcmeCa, sessions: Pick<CaSessions, 'known'>): Promise<Signer | null> {
  return (await sessions.known(ca))?.signer ?? null;
}

async function ownSigner({ entry }: Issued): Promise<Signer | null> {
  return accountKeyOf(entry.keyPem).then(
    (key) => ({ key, kid: null }),
    () => null,
  );
}
