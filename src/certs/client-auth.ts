/**
 * Client-certificate policies: reads the CA file that a host names and makes a policy of it, whose id
 * changes with the CAs and the mode. A file that cannot be used gives a policy that trusts nobody.
 */
import { createHash } from 'node:crypto';
import { readAtMost } from '../core/read-at-most.ts';
import { parseCertificates } from './_certificate-chain.ts';
import { certificateProblem, unreadable } from './files.ts';
import type { ClientAuthPolicy } from './certificate-set.ts';
import type { Diagnostic } from '../core/diagnostic.ts';

export interface ClientAuthSettings {
  readonly caFile: string;
  readonly mode: 'request' | 'require';
  readonly at: readonly (string | number)[];
}

export interface CheckedClientAuth {
  readonly policy: ClientAuthPolicy;
  /** Null where the policy is good. */
  readonly problem: Diagnostic | null;
}

export function readClientAuth(settings: ClientAuthSettings): CheckedClientAuth {
  const { caFile, mode, at } = settings;
  const bad = (message: string, remedy: string | null = null): CheckedClientAuth => ({
    policy: policyOf(mode, []),
    problem: certificateProblem([...at, 'ca'], message, remedy),
  });
  let pem: string;
  try {
    pem = readAtMost(caFile).toString('utf8');
  } catch (error) {
    return bad(...unreadable(caFile, error as NodeJS.ErrnoException));
  }
  const all = parseCertificates(pem);
  if (all.length === 0)
    return bad(`"${caFile}" holds no PEM certificate`, 'name the CA that signs the client certificates');
  const broken = all.indexOf(null);
  if (broken !== -1) return bad(`Certificate ${broken + 1} of ${all.length} in "${caFile}" does not parse`);
  const authorities = all.filter((one) => one !== null).filter((one) => one.ca);
  if (authorities.length === 0)
    return bad(`"${caFile}" holds no CA certificate`, 'name the CA, not a client certificate');
  return {
    policy: policyOf(
      mode,
      authorities.map((one) => one.toString()),
    ),
    problem: null,
  };
}

function policyOf(mode: ClientAuthPolicy['mode'], ca: string[]): ClientAuthPolicy {
  const hash = createHash('sha256').update(mode);
  for (const pem of ca.toSorted()) hash.update(pem);
  return { policyId: hash.digest('hex').slice(0, 24), ca, mode };
}
