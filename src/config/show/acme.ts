/** Prints the `acme` section as it is in effect, without what the CAs handed out in secret. */
import type { Acme, AcmeCa, AcmePolicy } from '../document/acme.ts';

type Shown = Readonly<Record<string, unknown>>;

export function shownAcme({ email, policy, onDemand, certificates }: Acme): Shown {
  const [first, ...fallback] = policy.cas;
  return {
    email: email ?? undefined,
    ...(first === undefined ? {} : shownCa(first)),
    ...shownPolicy(policy),
    on_demand: onDemand === null ? undefined : { ask: onDemand.ask ?? undefined, per_hour: onDemand.perHour },
    fallback: fallback.length === 0 ? undefined : fallback.map(shownCa),
    fallback_after: policy.fallbackAfter,
    certificates: certificates.length === 0 ? undefined : certificates.map(({ names }) => names),
  };
}

/** What a host says of its own. */
export function shownHostAcme(policy: AcmePolicy): Shown {
  const [first] = policy.cas;
  return {
    ...(first === undefined ? {} : shownCa(first)),
    ...shownPolicy(policy),
    ...(policy.onDemand && { on_demand: true }),
  };
}

function shownPolicy({ keyTypes, challenges, dns }: AcmePolicy): Shown {
  return {
    key_type: keyTypes.length === 1 ? keyTypes[0] : [...keyTypes],
    challenges: [...challenges],
    dns: dns ?? undefined,
  };
}

function shownCa({ directory, eab, profile, preferredChain, rootsFile }: AcmeCa): Shown {
  return {
    ca: directory,
    eab: eab === null ? undefined : { key_id: eab.keyId, hmac_key: '(secret)' },
    profile: profile ?? undefined,
    preferred_chain: preferredChain ?? undefined,
    roots: rootsFile ?? undefined,
  };
}
