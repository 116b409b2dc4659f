/**
 * Checks of a protocol switch (RFC 9110 section 7.8, RFC 6455 section 4, RFC 8441). A WebSocket over
 * HTTP/2 becomes an HTTP/1.1 one toward the app, so its key is ours and its proof is checked here.
 * `h2c` is never a protocol to switch to: it would carry requests past every rule.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { ForwardPlan } from './plan.ts';
import { PosternError } from '../core/errors.ts';
import type { RequestHead } from '../wire/exchange.ts';
import type { HeaderBlock } from '../wire/header-block.ts';

export interface Upgrade {
  readonly protocol: string;
  /** Fields that ask the app for the switch. */
  readonly lines: string;
  /** What Sec-WebSocket-Accept must be; null where the client checks it. */
  readonly accept: string | null;
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Null: an ordinary request. An error: one that cannot be passed on. */
export function planUpgrade(request: RequestHead, plan: ForwardPlan): Upgrade | PosternError | null {
  const protocol = request.upgrade;
  if (protocol === null) return null;
  const isExtended = request.version === '2';
  if (protocol === 'h2c' || !plan.upgradeAllowed) {
    return isExtended ? refusal('upgrade-not-permitted', `the route does not permit the protocol "${protocol}"`) : null;
  }
  if (isExtended) return extendedConnect(request);
  if (protocol === 'websocket') {
    const problem = webSocketProblem(request);
    if (problem !== null) return problem;
  }
  return { protocol, lines: `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`, accept: null };
}

function extendedConnect(request: RequestHead): Upgrade | PosternError {
  if (request.upgrade !== 'websocket')
    return refusal('upgrade-protocol', `":protocol" is "${request.upgrade}", not "websocket"`);
  const version = request.headers.get('sec-websocket-version');
  const isOne = request.headers.count('sec-websocket-version') <= 1;
  if (version !== undefined && (version !== '13' || !isOne)) return otherVersion();
  const key = randomBytes(16).toString('base64');
  const versionLine = version === undefined ? 'Sec-WebSocket-Version: 13\r\n' : '';
  const lines = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${key}\r\n${versionLine}`;
  return { protocol: 'websocket', lines, accept: acceptOf(key) };
}

function webSocketProblem(request: RequestHead): PosternError | null {
  if (request.method !== 'GET') return refusal('websocket-method', 'the method is not GET');
  const { headers } = request;
  const key = headers.get('sec-websocket-key');
  if (key === undefined || headers.count('sec-websocket-key') !== 1)
    return refusal('websocket-key', 'it needs one Sec-WebSocket-Key');
  if (key.length !== 24 || Buffer.from(key, 'base64').length !== 16)
    return refusal('websocket-key', 'Sec-WebSocket-Key is not 16 bytes in base64');
  const version = headers.get('sec-websocket-version');
  if (version === undefined) return refusal('websocket-version', 'it needs Sec-WebSocket-Version');
  return version === '13' && headers.count('sec-websocket-version') === 1 ? null : otherVersion();
}

/** RFC 6455 section 4.4: a client of another version is told which one there is. */
function otherVersion(): PosternError {
  const fields = [['Sec-WebSocket-Version', '13']];
  return refusal('websocket-version', 'Sec-WebSocket-Version is not 13', { fields });
}

/** `rule` and whatever else is told to the visitor. */
function refusal(rule: string, why: string, more: Readonly<Record<string, unknown>> = {}): PosternError {
  return new PosternError('BAD_REQUEST', `Cannot open the WebSocket or upgrade: ${why}`, { rule, ...more });
}

/** Whether a 101 switches to what was asked for, with the proof where it is ours to check. */
export function isExpectedSwitch(upgrade: Upgrade, protocol: string | null, headers: HeaderBlock): boolean {
  if (protocol !== upgrade.protocol) return false;
  return upgrade.accept === null || headers.get('sec-websocket-accept') === upgrade.accept;
}

export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}
