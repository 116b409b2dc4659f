/**
 * Which password hashes a document may hold: bcrypt and argon2id, with a cost that one check can bear.
 * A plain password is refused, and never repeated in a message.
 */
import { fault, read, type Reading } from './reading.ts';

const BCRYPT = /^\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}$/;
const ARGON2ID = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$/;
const REMEDY = 'write what `postern hash-password` prints';

/** bcrypt cost 16 takes about 4 s a check, and each further step doubles it. */
const MOST_BCRYPT_COST = 16;
const MOST_ARGON_KIB = 1_048_576;

export function parsePasswordHash(text: string): Reading<string> {
  const bcrypt = BCRYPT.exec(text);
  if (bcrypt !== null) return parseBcrypt(text, Number(bcrypt[1]));
  const argon = ARGON2ID.exec(text);
  if (argon !== null) return parseArgon(text, argon.slice(1).map(Number));
  if (/^\$2[abxy]?\$/.test(text)) return fault('is not a whole bcrypt hash, which has 60 characters', REMEDY);
  if (/^\$argon2(?:i|d)\$/.test(text)) return fault('is argon2i or argon2d, expected argon2id', REMEDY);
  if (text.startsWith('$argon2id$')) return fault('is not a whole argon2id hash', REMEDY);
  if (/^(?:\$(?:apr1|1|5|6|y)\$|\{SHA\})/.test(text))
    return fault('is a hash of another kind, expected bcrypt or argon2id', REMEDY);
  return fault('is not a password hash', REMEDY);
}

function parseBcrypt(text: string, cost: number): Reading<string> {
  if (cost < 4) return fault(`has bcrypt cost ${cost}, expected at least 4`, REMEDY);
  if (cost > MOST_BCRYPT_COST) return fault(`has bcrypt cost ${cost}, expected at most ${MOST_BCRYPT_COST}`, REMEDY);
  return read(text);
}

function parseArgon(text: string, [memory = 0, passes = 0, lanes = 0]: readonly number[]): Reading<string> {
  const isBearable = memory >= 8 * lanes && memory <= MOST_ARGON_KIB && passes >= 1 && passes <= 32;
  if (!isBearable || lanes < 1 || lanes > 16) {
    return fault('has argon2id parameters out of range: m up to 1048576, t up to 32, p up to 16', REMEDY);
  }
  return read(text);
}
