/**
 * Raised by the parsers of this room for bytes that break HTTP. Nothing of such a message is handed
 * on. `rule` names what was broken: it ends up in the 4xx body and in the log, and holds no input.
 */
export type HttpSyntaxStatus = 400 | 405 | 413 | 414 | 417 | 431 | 501 | 505;

/** What a 405 must list (RFC 9110 section 15.5.6). */
export const METHODS_TAKEN = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

export class HttpSyntaxError extends Error {
  /** What a server answers. For a broken response callers answer 502 instead. */
  readonly status: HttpSyntaxStatus;
  /** Short name of the broken rule, e.g. "bare-lf" or "content-length". */
  readonly rule: string;

  constructor(rule: string, status: HttpSyntaxStatus = 400) {
    super(`Cannot read HTTP message: rule "${rule}" is broken`);
    this.name = 'HttpSyntaxError';
    this.rule = rule;
    this.status = status;
  }
}
