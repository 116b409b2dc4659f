/**
 * Spells common field names without allocating: a hash of the bytes leads to the one name they can
 * be, and to its lower-case key. Both are interned by the engine, so comparing keys is comparing pointers.
 */
const COMMON = `Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Credentials
Access-Control-Allow-Headers Access-Control-Allow-Methods Access-Control-Allow-Origin Access-Control-Expose-Headers
Access-Control-Max-Age Access-Control-Request-Headers Access-Control-Request-Method Age Allow Alt-Svc Authorization
Cache-Control CF-Connecting-IP CF-Ray Connection Content-Disposition Content-Encoding Content-Language Content-Length
Content-Location Content-Range Content-Security-Policy Content-Type Cookie Date DNT Early-Data ETag Expect Expires
Forwarded From Host HTTP2-Settings If-Match If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive
Last-Modified Link Location Max-Forwards Origin Permissions-Policy Pragma Priority Proxy-Authenticate
Proxy-Authorization Proxy-Connection Range Referer Referrer-Policy Refresh Retry-After Sec-CH-UA Sec-CH-UA-Mobile
Sec-CH-UA-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-GPC Sec-WebSocket-Accept
Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version Server Server-Timing Set-Cookie
Strict-Transport-Security TE Traceparent Tracestate Trailer Transfer-Encoding Upgrade Upgrade-Insecure-Requests
User-Agent Vary Via Warning WWW-Authenticate X-Accel-Buffering X-API-Key X-Content-Type-Options X-CSRF-Token
X-DNS-Prefetch-Control X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Frame-Options X-Powered-By
X-Real-IP X-Request-Id X-Requested-With X-Scope-OrgID X-XSS-Protection Grpc-Status Grpc-Message Grpc-Encoding
Grpc-Accept-Encoding Grpc-Timeout`.split(/\s+/);

const SLOTS = 4096;

export interface KnownName {
  readonly name: string;
  readonly key: string;
  /** The same for all spellings: where it stands in KNOWN_KEYS. */
  readonly id: number;
  readonly next: KnownName | null;
}

const TABLE: (KnownName | null)[] = Array.from({ length: SLOTS }, () => null);

/** One step of the hash that `knownName` expects, over the bytes of the name as written. */
export function hashStep(hash: number, code: number): number {
  return (Math.imul(hash, 31) + code) | 0;
}

/** Keys of the common names, for tables of one's own by their id. */
export const KNOWN_KEYS: readonly string[] = COMMON.map((name) => interned(name.toLowerCase()));

function learn(name: string, id: number): void {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = hashStep(hash, name.charCodeAt(i));
  const slot = hash & (SLOTS - 1);
  TABLE[slot] = { name, key: KNOWN_KEYS[id] as string, id, next: TABLE[slot] ?? null };
}

/** Makes the engine intern a string: property keys always are. */
function interned(text: string): string {
  return Object.keys({ [text]: 0 })[0] as string;
}

for (const [id, spelling] of COMMON.entries()) {
  const key = KNOWN_KEYS[id] as string;
  learn(key, id);
  if (spelling !== key) learn(interned(spelling), id);
}

/** The known name at bytes[from..to), or null. */
export function knownName(bytes: Uint8Array, from: number, to: number, hash: number): KnownName | null {
  let entry = TABLE[hash & (SLOTS - 1)] as KnownName | null;
  while (entry !== null) {
    if (isAt(entry.name, bytes, from, to)) return entry;
    entry = entry.next;
  }
  return null;
}

function isAt(name: string, bytes: Uint8Array, from: number, to: number): boolean {
  const length = name.length;
  if (length !== to - from) return false;
  for (let i = 0; i < length; i++) if (name.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}
