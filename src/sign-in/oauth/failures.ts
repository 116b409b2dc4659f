/**
 * What a provider's endpoints can end in: it says no, or nothing was learned. Messages are for the log and say
 * what to change; none holds a token, a code, a secret or a claim.
 */

/** The provider, or what it sent, says no. */
export class Refusal extends Error {
  /** Somebody real whom the settings keep out: nothing is wrong with the registration. */
  readonly isNotAdmitted: boolean = false;

  constructor(message: string) {
    super(message);
    this.name = 'Refusal';
  }
}

/** A person whom the settings of the provider keep out. */
export class NotAdmitted extends Refusal {
  override readonly isNotAdmitted = true;
}

/** Nothing was learned. */
export class Outage extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'Outage';
  }
}

/** An error answer of the token endpoint (RFC 6749 section 5.2). */
export class OAuthError extends Error {
  readonly error: string;
  readonly description: string | null;

  constructor(error: string, description: string | null) {
    super(`the provider answered "${error}"`);
    this.name = 'OAuthError';
    this.error = error;
    this.description = description;
  }
}
