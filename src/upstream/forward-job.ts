/**
 * One exchange on its way to an app: picks a server, gets a connection, sends, relays the answer.
 * Repeats a request only where the app cannot have acted on it: nothing was sent, or a reused
 * connection was closed without a byte, the method is idempotent (RFC 9110 section 9.2.2) and its body
 * is still at hand. Once an answer began, a failure breaks the exchange visibly.
 */
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import type { Backends, BackendMember, Carrier, Group } from './backends.ts';
import { areAllDown, chooseMember } from './balance.ts';
import { BodyRelay } from './body-relay.ts';
import { compileEdits, fieldValue } from './header-edits.ts';
import { isGrpc, respondGrpcError } from './grpc.ts';
import type { ForwardPlan, ForwardReport } from './plan.ts';
import type { PoolWaiter } from './wait-queue.ts';
import { buildRequestFields, keepRequestTrailers } from './request-headers.ts';
import { dropOwnCookies, editResponseHeaders, hasEdits } from './response-headers.ts';
import { visitorOf } from './visitor.ts';
import { isExpectedSwitch, planUpgrade } from './upgrade.ts';
import type { Upgrade } from './upgrade.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import type { Clock } from '../core/clock.ts';
import { PosternError } from '../core/errors.ts';
import type { BodySink, BodySource, Exchange, RequestHead } from '../wire/exchange.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import type { AppCall, AppConnection, Repeat } from '../wire/app-call.ts';
import { RequestLines } from '../wire/request-lines.ts';
import type { AppResponseHead } from '../wire/response-head.ts';
import { DISCARD } from '../wire/http1-response.ts';
import type { Ticker } from '../wire/ticker.ts';
import { joinTunnel } from '../wire/tunnel.ts';

export interface ForwardDeps {
  readonly clock: Clock;
  readonly backends: Backends;
  readonly ticker: Ticker;
  /** How this instance names itself in Via. */
  readonly viaName: string;
}

const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
  'PROPFIND',
  'REPORT',
  'SEARCH',
  'QUERY',
]);

export class ForwardJob implements PoolWaiter, AppCall {
  readonly method: string;
  readonly bodyLength: number;
  readonly connectMs: number;
  readonly maxConnections: number;
  readonly wantsRecent: boolean;
  readonly firstByteMs: number;
  bindsConnection = false;
  wantsFresh = false;
  wantsUpgrade = false;
  idleMs: number;
  head = '';
  lines: RequestLines = NO_LINES;
  readonly #deps: ForwardDeps;
  readonly #exchange: Exchange;
  readonly #plan: ForwardPlan;
  readonly #report: ForwardReport;
  readonly #body: BodyRelay | null;
  #group: Group | null = null;
  #tried: BackendMember[] | null = null;
  #member: BackendMember | null = null;
  #connection: AppConnection | null = null;
  #upgrade: Upgrade | null = null;
  #takesTrailers = false;
  #isGrpc = false;
  #hasWaited = false;
  #isOver = false;
  /** Who else wants to know of the exchange's end. */
  #before: Exchange['onClose'] = null;

  // oxlint-disable-next-line max-params -- one allocation a request, no options object
  constructor(deps: ForwardDeps, exchange: Exchange, plan: ForwardPlan, report: ForwardReport) {
    const { request, body } = exchange;
    const { limits } = plan;
    this.#deps = deps;
    this.#exchange = exchange;
    this.#plan = plan;
    this.#report = report;
    this.method = request.method;
    this.bodyLength = request.upgrade !== null && request.version === '2' ? 0 : body.length;
    this.#body = this.bodyLength === 0 ? null : this.#relay(body);
    this.connectMs = limits.connectMs;
    this.firstByteMs = limits.firstByteMs;
    this.idleMs = limits.upstreamIdleMs;
    this.maxConnections = plan.action.maxConnections;
    this.wantsRecent = this.#body !== null || !IDEMPOTENT.has(request.method);
  }

  /** Asked only where an app signs connections in. */
  get visitor(): object {
    const { who, fromTrustedProxy } = this.#plan;
    return visitorOf(this.#exchange.connection, who, fromTrustedProxy) ?? this;
  }

  #relay(body: BodySource): BodyRelay {
    const keep = (trailers: HeaderBlock): HeaderBlock | null =>
      keepRequestTrailers(trailers, this.#exchange.request.headers, this.#plan);
    return new BodyRelay(body, (error) => this.#fail(error), keep);
  }

  start(): void {
    const { request } = this.#exchange;
    this.#before = this.#exchange.onClose;
    this.#exchange.onClose = (outcome) => {
      this.#close();
      this.#before?.(outcome);
    };
    const upgrade = planUpgrade(request, this.#plan);
    if (upgrade instanceof PosternError) return this.#fail(upgrade);
    this.#isGrpc = isGrpc(request.headers);
    const fields = buildRequestFields(this.#exchange, this.#plan, this.#deps.viaName);
    if (fields === null) return this.#fail(loopError(this.#deps.viaName));
    if (!isAsRead(request, this.#plan) && !(isTarget(this.#plan.path) && isTarget(this.#plan.query)))
      return this.#fail(targetError());
    this.lines = fields.lines;
    this.#takesTrailers = fields.takesTrailers;
    this.bindsConnection = fields.bindsConnection;
    if (upgrade !== null) {
      this.#upgrade = upgrade;
      this.wantsUpgrade = true;
    }
    this.#group = this.#deps.backends.groupOf(this.#plan.action);
    this.#tryNext(null);
  }

  #tryNext(lastError: PosternError | null): void {
    const { members, action } = this.#group as Group;
    const member = this.#choose(action, members);
    if (member === null) return this.#fail(lastError ?? nobodyError(areAllDown(members)));
    this.#member = member;
    this.#report.server = member.target.label;
    this.head = this.#headFor(member);
    this.#acquire(member);
  }

  #choose(action: ProxyAction, members: readonly BackendMember[]): BackendMember | null {
    const [only] = members;
    if (members.length === 1 && only !== undefined && only.check === null && this.#tried === null) return only;
    const choice = { now: this.#deps.clock.now(), tried: this.#tried ?? NONE, clientIp: this.#plan.clientIp };
    return chooseMember(action, members, choice) as BackendMember | null;
  }

  #acquire(member: BackendMember): void {
    member.target.inFlight++;
    this.#hasWaited = false;
    this.#carrierOf(member).acquire(this);
    this.#hasWaited = true;
  }

  /** gRPC needs HTTP/2; other requests to `https` apps speak HTTP/1.1, which every app does. */
  #carrierOf({ backend }: BackendMember): Carrier {
    const { scheme } = backend.target;
    const isHttp2 = !this.wantsUpgrade && (scheme === 'h2c' || (scheme === 'https' && this.#isGrpc));
    return isHttp2 ? backend.http2 : backend.http1;
  }

  #headFor({ target }: BackendMember): string {
    const { path, query, action, hostHeader, requestId } = this.#plan;
    const rule = action.hostHeader;
    // HTTP/1.0 may name none; HTTP/1.1 must.
    const kept = rule === 'keep' && hostHeader !== '' ? hostHeader : target.authority;
    const host = typeof rule === 'object' ? fieldValue(rule.fixed) : kept;
    const method = this.wantsUpgrade && this.method === 'CONNECT' ? 'GET' : this.method;
    const own = `${method} ${path}${query} HTTP/1.1\r\nHost: ${host}\r\nX-Request-Id: ${requestId}\r\n`;
    if (this.#upgrade !== null) return own + this.#upgrade.lines;
    return target.servesOnce ? `${own}Connection: close\r\n` : own;
  }

  onClient(connection: AppConnection): void {
    this.#connection = connection;
    // One that was open and free took no time.
    if (this.#hasWaited) this.#report.connectMs = performance.now() - this.#exchange.startedAt;
    if (this.#body !== null && this.#mayRepeat(connection)) this.#body.keep();
    try {
      connection.send(this);
    } catch (error) {
      // This may be the socket's own event: thrown on, it would end the worker.
      this.#fail(new PosternError('INTERNAL', 'Cannot send the request to the app', {}, error));
    }
  }

  onNoClient(error: PosternError): void {
    const member = this.#leave();
    if (this.#isOver || member === null) return;
    if (error.code !== 'UPSTREAM_BUSY' && error.code !== 'OVERLOADED')
      member.target.passive.recordFailure(this.#deps.clock.now());
    this.#tried ??= [];
    this.#tried.push(member);
    const { members } = this.#group as Group;
    if (this.#tried.length < members.length) this.#report.retries++;
    this.#tryNext(error);
  }

  onFail(error: PosternError, repeat: Repeat): void {
    this.#body?.detach();
    const member = this.#leave();
    if (this.#isOver || member === null) return;
    const isUsedUp = this.#body !== null && this.#body.isConsumed;
    const mayRepeat = repeat === 'never-seen' || (repeat === 'stale' && IDEMPOTENT.has(this.method));
    if (mayRepeat && !this.wantsFresh && !isUsedUp) {
      this.wantsFresh = true;
      this.#report.retries++;
      this.#member = member;
      return this.#acquire(member);
    }
    if (error.code === 'UPSTREAM_TIMEOUT' || error.code === 'UPSTREAM_UNREACHABLE') {
      member.target.passive.recordFailure(this.#deps.clock.now());
    }
    this.#fail(error);
  }

  /** Once, and only where a failure can say that the app has not acted on it. */
  #mayRepeat(connection: AppConnection): boolean {
    if (this.wantsFresh) return false;
    return connection.tellsUnseen || (connection.isReused && IDEMPOTENT.has(this.method));
  }

  onInform(head: AppResponseHead): void {
    dropOwnCookies(head.headers, this.#plan);
    this.#exchange.inform(head);
  }

  onHead(head: AppResponseHead, resume: () => void): BodySink {
    this.#body?.letGo();
    this.#member?.target.passive.recordSuccess();
    this.#report.firstByteMs = performance.now() - this.#exchange.startedAt;
    const { request } = this.#exchange;
    // Over HTTP/2 the visitor would take any 2xx for an open WebSocket (RFC 8441 section 5).
    if (request.upgrade !== null && request.version === '2' && head.status < 300) {
      this.#fail(switchError(request.upgrade));
      return DISCARD;
    }
    if (head.lines === null || head.hasSetCookie || hasEdits(this.#plan)) editResponseHeaders(head.headers, this.#plan);
    if (this.#isGrpc || head.isEventStream) this.idleMs = this.#plan.limits.streamIdleMs;
    if (head.isEventStream) this.#report.onEventStream?.();
    return this.#exchange.respond(head, lengthOf(head, this.method), resume);
  }

  onUpgrade(head: AppResponseHead, stream: Duplex): void {
    stream.on('error', ignore);
    this.#member?.target.passive.recordSuccess();
    this.#report.firstByteMs = performance.now() - this.#exchange.startedAt;
    this.#connection = null;
    const upgrade = this.#upgrade as Upgrade;
    if (this.#isOver || !isExpectedSwitch(upgrade, head.upgrade, head.headers)) {
      stream.destroy();
      this.#leave();
      if (!this.#isOver) this.#fail(switchError(upgrade.protocol));
      return;
    }
    editResponseHeaders(head.headers, this.#plan);
    this.#isOver = true;
    // A tunnel may live for days: what only its request needed goes, this job with it.
    const { target } = this.#member as BackendMember;
    this.#member = null;
    this.#exchange.onClose = this.#before;
    const client = this.#exchange.acceptUpgrade(head);
    const tunnel = joinTunnel(client, stream, {
      idleMs: this.#plan.limits.tunnelIdleMs,
      ticker: this.#deps.ticker,
      isWebSocket: upgrade.protocol === 'websocket',
      onClose: () => void target.inFlight--,
    });
    this.#report.onTunnel?.(tunnel);
  }

  onDone(): void {
    this.#leave();
    this.#isOver = true;
  }

  onBroken(error: PosternError): void {
    // It broke in the read event that began it: the visitor has seen nothing of it yet.
    if (!this.#isOver && this.#exchange.retract?.() === true) return this.#fail(error);
    this.#leave();
    this.#isOver = true;
    this.#report.errorCode = error.code;
    this.#report.error = error;
  }

  passTrailers(trailers: HeaderBlock): HeaderBlock | null {
    if (!this.#takesTrailers) return null;
    const edits = compileEdits(this.#plan.responseHeaders);
    if (!edits.isEmpty) trailers.removeWhere((key) => edits.replaces(key));
    return trailers;
  }

  startBody(sink: BodySink): void {
    this.#body?.attach(sink);
  }

  resumeBody(): void {
    this.#body?.resume();
  }

  cancelBody(): void {
    this.#body?.cancel();
  }

  /** Gives the server back; answers which it was. */
  #leave(): BackendMember | null {
    const member = this.#member;
    if (member !== null) member.target.inFlight--;
    this.#member = null;
    this.#connection = null;
    return member;
  }

  /** The client went away, or the answer is written. */
  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const connection = this.#connection;
    const member = this.#leave();
    this.#body?.cancel();
    if (connection !== null) connection.destroy();
    else if (member !== null) this.#carrierOf(member).cancel(this);
  }

  #fail(error: PosternError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const connection = this.#connection;
    const member = this.#leave();
    if (connection !== null) connection.destroy();
    else if (member !== null) this.#carrierOf(member).cancel(this);
    this.#body?.cancel();
    this.#report.errorCode = error.code;
    this.#report.error = error;
    if (this.#isGrpc) respondGrpcError(this.#exchange, error);
    else this.#report.onFailure(error);
  }
}

const NO_LINES = new RequestLines('');
const NONE: readonly BackendMember[] = [];

function ignore(): void {}

/** What is announced: for HEAD and 304 the length of a body that does not come. */
function lengthOf(head: AppResponseHead, method: string): number {
  switch (head.framing) {
    case 'length':
      return head.length;
    case 'none':
      return method === 'HEAD' || head.status === 304 ? head.length : 0;
    default:
      return -1;
  }
}

/** The codec has looked at each character of a target that the route leaves as it came. */
function isAsRead(request: Pick<RequestHead, 'path' | 'query'>, plan: Pick<ForwardPlan, 'path' | 'query'>): boolean {
  return plan.path === request.path && plan.query === request.query;
}

/** Checked once more where it is written, whoever made it: a space or line end here is another request. */
function isTarget(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

function targetError(): PosternError {
  return new PosternError('INTERNAL', 'Cannot forward the request: its target holds a character that may not be sent');
}

function loopError(viaName: string): PosternError {
  const text =
    'Cannot forward the request: it has passed through this gateway already; does the route point at Postern itself?';
  return new PosternError('LOOP_DETECTED', text, { via: viaName });
}

function nobodyError(areChecksDown: boolean): PosternError {
  const why = areChecksDown ? 'the health checks say that every server is down' : 'the route has no server';
  return new PosternError('UPSTREAM_UNHEALTHY', `Cannot forward the request: ${why}`);
}

function switchError(protocol: string): PosternError {
  const text = `Cannot relay the app's response: it did not switch to "${protocol}" as asked`;
  return new PosternError('UPSTREAM_BAD_RESPONSE', text);
}
