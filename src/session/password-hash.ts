/**
 * Password hashes as text: argon2id in PHC form, made here, and bcrypt ($2a$, $2b$, $2y$), which is
 * only ever checked: it comes from htpasswd and caddy. Synchronous and slow on purpose: only the hash
 * threads may call this. RFC 9106; bcrypt reads 72 bytes and no more.
 */
import { argon2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { bcryptVerify } from 'hash-wasm';

const MEMORY_KIB = 65_536;
const PASSES = 2;
const LANES = 1;
const SALT_BYTES = 16;
const TAG_BYTES = 32;
const BCRYPT_BYTES = 72;

const ARGON2 =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/;
const BCRYPT = /^\$2[aby]\$(0[4-9]|1\d|2\d|3[01])\$[./A-Za-z0-9]{53}$/;
/** What a hash may ask for at most: a typing error in a document must not take the machine down. */
const MOST_MEMORY_KIB = 1_048_576;
const MOST_BCRYPT_COST = 17;

interface Argon2Hash {
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Buffer;
  readonly tag: Buffer;
}

/** A new argon2id hash with today's cost. */
export function hashPassword(password: string): string {
  const salt = randomBytes(SALT_BYTES);
  const tag = argon2Sync('argon2id', {
    message: password,
    nonce: salt,
    memory: MEMORY_KIB,
    passes: PASSES,
    parallelism: LANES,
    tagLength: TAG_BYTES,
  });
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${base64(salt)}$${base64(tag)}`;
}

/** Whether the password has this hash. A hash that cannot be read fits no password. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  if (BCRYPT.test(hash)) return verifyBcrypt(hash, password);
  const parsed = parseArgon2(hash);
  if (parsed === null) return false;
  const tag = argon2Sync('argon2id', {
    message: password,
    nonce: parsed.salt,
    memory: parsed.memory,
    passes: parsed.passes,
    parallelism: parsed.lanes,
    tagLength: parsed.tag.length,
  });
  return timingSafeEqual(tag, parsed.tag);
}

/** Of more than one lane, as other programs make them (`p=4`), OpenSSL works in threads of its own. */
export function isOfSeveralLanes(hash: string): boolean {
  return (parseArgon2(hash)?.lanes ?? 1) > 1;
}

function parseArgon2(text: string): Argon2Hash | null {
  const match = ARGON2.exec(text);
  if (match === null) return null;
  const [memory, passes, lanes] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const salt = Buffer.from(match[4] ?? '', 'base64');
  const tag = Buffer.from(match[5] ?? '', 'base64');
  const isSane = passes >= 1 && lanes >= 1 && lanes <= 16 && memory >= 8 * lanes && memory <= MOST_MEMORY_KIB;
  return isSane && salt.length >= 8 && tag.length >= 12 ? { memory, passes, lanes, salt, tag } : null;
}

async function verifyBcrypt(hash: string, password: string): Promise<boolean> {
  const bytes = Buffer.from(password, 'utf8');
  // bcrypt in C stops at NUL, so such a password would fit the hash of its beginning.
  if (bytes.length === 0 || bytes.includes(0) || bcryptCost(hash) > MOST_BCRYPT_COST) return false;
  // Whoever made the hash fed it 72 bytes at most.
  return bcryptVerify({ password: bytes.subarray(0, BCRYPT_BYTES), hash });
}

function bcryptCost(hash: string): number {
  return Number(hash.slice(4, 6));
}

/** PHC strings leave out the padding. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
