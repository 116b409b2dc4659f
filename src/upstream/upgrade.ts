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
    return isExtended ? refusal(`the route does not permit the protocol "${protocol}"`) : null;
  }
  if (isExtended) return extendedConnect(request);
  if (protocol === 'websocket') {
    const problem = webSocketProblem(request);
    if (problem !== null) return refusal(problem);
  }
  return { protocol, lines: `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`, accept: null };
}

function extendedConnect(request: RequestHead): Upgrade | PosternError {
  if (request.upgrade !== 'websocket') return refusal(`":protocol" is "${request.upgrade}", not "websocket"`);
  const version = request.headers.get('sec-websocket-version');
  if (version !== undefined && version !== '13') return refusal('Sec-WebSocket-Version is not 13');
  const key = randomBytes(16).toString('base64');
  const versionLine = version === undefined ? 'Sec-WebSocket-Version: 13\r\n' : '';
  const lines = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${key}\r\n${versionLine}`;
  return { protocol: 'websocket', lines, accept: acceptOf(key) };
}

function webSocketProblem(request: RequestHead): string | null {
  if (request.method !== 'GET') return 'the method is not GET';
  const { headers } = request;
  const key = headers.get('sec-websocket-key');
  if (key === undefined || headers.count('sec-websocket-key') !== 1) return 'it needs one Sec-WebSocket-Key';
  if (key.length !== 24 || Buffer.from(key, 'base64').length !== 16)
    return 'Sec-WebSocket-Key is not 16 bytes in base64';
  if (headers.get('sec-websocket-version') !== '13') return 'Sec-WebSocket-Version is not 13';
  return null;
}

function refusal(why: string): PosternError {
  return new PosternError('BAD_REQUEST', `Cannot open the WebSocket or upgrade: ${why}`);
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
