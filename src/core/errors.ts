/**
 * Every failure an operator can meet has one stable code: logs, docs/errors.md and tests key on it.
 * Expected outcomes are values; these exceptions are for the unexpected and for what ends a request.
 */

/** Code -> what it means and what to do. The table is the source of docs/errors.md. */
export const ERRORS = {
  CONFIG_INVALID: 'The configuration document has a problem. The running configuration stays.',
  CONFIG_UNREADABLE:
    'The configuration file or env file cannot be read. Check its path and permissions, and that it is UTF-8.',
  DATA_DIR_UNUSABLE: 'The data folder cannot be created or written. Check its owner and free space.',
  DATA_DIR_NEWER: 'The data folder was written by a newer version. Install that version, or use another folder.',
  DATA_DIR_LOCKED: 'Another Postern uses this data folder. Stop it, or use another folder.',
  STORE_UNAVAILABLE: 'The store did not answer. Nobody is logged out; nobody new is let in.',
  LISTEN_FAILED: 'An address cannot be listened on. Another program has it, or the port needs a capability.',
  TLS_NO_CERTIFICATE: 'No certificate covers the name that a client asked for; the handshake was refused.',
  TLS_BAD_CERTIFICATE: 'A certificate or key file is unusable. The message says which check failed.',
  DEPLOY_FAILED:
    'A certificate could not be written to the files of tls.deploy_to, or the command after it failed. What is served is not affected; it is tried again.',
  DNS_PROVIDER_REFUSED:
    'The DNS provider refused the credentials or the change. The message has its words and the permission needed.',
  DNS_PROVIDER_UNAVAILABLE:
    'The DNS provider cannot be reached, is overloaded or answers nonsense. It is tried again later.',
  DNS_ZONE_MISSING:
    'The account at the DNS provider has no zone that holds the name. Check the account, or delegate by CNAME.',
  DNS_NOT_PROPAGATED:
    'The authoritative servers of the zone do not all answer with the TXT record yet. The message names them.',
  DNS_LOOKUP_FAILED:
    'No resolver answered a question about the zone. Check the network, or set resolvers of the DNS provider.',
  BAD_REQUEST: 'The request breaks HTTP; it was refused before routing and never forwarded.',
  PAYLOAD_TOO_LARGE: 'The request body is larger than the route takes. Raise max_body for that route.',
  HEADER_TOO_LARGE: 'The request head is larger or has more fields than the limits allow.',
  REQUEST_TIMEOUT: 'The client sent its request too slowly.',
  CLIENT_CLOSED: 'The client went away before the answer was complete.',
  NO_HOST: 'No host of the configuration has this name, and there is no default.',
  NO_ROUTE: 'The host has no route for this path.',
  MISDIRECTED: 'The request names a host that this connection may not be used for.',
  ENCODED_SLASH: 'The path holds an encoded slash. Set encoded_slash: keep on the route if its app needs that.',
  CROSS_ORIGIN: 'A WebSocket with a session came from another origin. List it in origins: of the route if it may.',
  ACME_FAILED:
    'A certificate could not be ordered or renewed. The message names the step and what the CA said; it is tried again by itself.',
  ACCESS_DENIED: 'A rule denied the request. `postern explain` shows which.',
  CREDENTIAL_REFUSED:
    'A machine gave a password or token that is wrong, unknown, revoked or expired. `postern token list` shows the tokens.',
  NO_APP:
    'The route leads each visitor to an app of their own, and none is meant for this one. See its `routes`, `maps` and templates.',
  UPSTREAM_UNREACHABLE: 'The app cannot be reached: the connection was refused, reset or its name does not resolve.',
  UPSTREAM_TIMEOUT: 'The app accepted the connection but did not answer in time.',
  UPSTREAM_BAD_RESPONSE: 'The app answered something that is not valid HTTP; nothing of it was passed on.',
  UPSTREAM_TRUNCATED: 'The app broke off in the middle of its answer.',
  UPSTREAM_TLS: 'The TLS connection to the app failed its checks. See upstream_tls.',
  UPSTREAM_BUSY: 'Every connection to the app is in use and the queue is full.',
  UPSTREAM_UNHEALTHY: 'No server of this route is healthy.',
  LOOP_DETECTED: 'The request has passed through this gateway already.',
  OVERLOADED: 'A bounded queue is full. Try again later.',
  OPERATION_REFUSED: 'An operator asked for something that cannot be done. The message says why.',
  CONTROL_UNAVAILABLE: 'The control socket does not answer. Is Postern running with this data folder?',
  PROVIDER_UNAVAILABLE: 'A sign-in provider does not answer. People who are signed in go on; it is asked again.',
  TOKEN_UNAVAILABLE:
    "The route passes the provider's token on to its app, the one there is has expired, and the provider gives no new one right now. Nobody is signed out; it is asked again.",
  TOKEN_EXPIRED:
    "The route passes the provider's token on to its app, the one there is has expired, and the provider renews none. The person is sent to sign in again.",
  SIGN_IN_REFUSED:
    'A provider, or what it answered, did not sign somebody in. The message says why and what to change.',
  INTERNAL: 'A defect in Postern. The log has the request id and the cause.',
} as const;

export type ErrorCode = keyof typeof ERRORS;

export class PosternError extends Error {
  readonly code: ErrorCode;
  /** Facts for the log. Never shown to the visitor, never holds a secret. */
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, facts: Record<string, unknown> = {}, cause?: unknown) {
    super(message, { cause });
    this.name = 'PosternError';
    this.code = code;
    this.facts = facts;
  }
}
