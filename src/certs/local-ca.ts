/**
 * The local CA: one root below DATA/ca/, constrained to private names, and one leaf a name that the
 * document serves locally. A name outside the constraints gets a root of its own that is good for
 * that name only, so that trusting the main root never lets anybody speak for a public site.
 * Leaves live 90 days and are renewed when a third is left; those that ended are removed from the disk. Never
 * replaces a root that is still good.
 */
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { opendir, rm, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { PosternError } from '../core/errors.ts';
import { readPair, writePair, type Pair } from './_ca-files.ts';
import { LOCAL_SUFFIXES } from '../core/local-names.ts';
import { bareHost, isLocalName, namesOf } from './names.ts';
import { writeLeaf, writeRoot } from './x509-writer.ts';
import type { Clock } from '../core/clock.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
export const LEAF_LIFE_MS: number = 90 * DAY;
const RENEW_WITHIN_MS = LEAF_LIFE_MS / 3;
const ROOT_LIFE_MS = 3652 * DAY;
/** Clocks of the visitors' machines may run behind. */
const BACKDATE_MS = HOUR;
const HOST_NAME = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,252})$/;

export interface LocalCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly notAfter: number;
  /** Common name of the root that signed it. */
  readonly root: string;
}

export interface LocalRoot {
  readonly commonName: string;
  readonly pem: string;
  readonly notAfter: number;
  /** The one name of an extra root; null for the main root. */
  readonly onlyFor: string | null;
}

export interface LocalCa {
  /** The certificate of a host name or IP address: from disk while it is good, else newly issued. */
  readonly certificateFor: (host: string) => LocalCertificate;
  /** True where that costs nothing: it was issued or read before, by this process. */
  readonly isAtHand: (host: string) => boolean;
  /** Removes leaves that have ended: of hosts that nobody visits, or that are gone. */
  readonly removeEnded: () => Promise<void>;
  /** All roots there are, the main one first. */
  readonly roots: () => LocalRoot[];
  /** What a person's browser has to trust, or null before anything was issued. */
  readonly exportRootPem: () => string | null;
}

export interface LocalCaOptions {
  /** DATA/ca; made when needed. */
  readonly directory: string;
  readonly clock: Clock;
  /** Told in one plain sentence when a root is made or replaced. */
  readonly onNotice: (message: string) => void;
}

interface Root {
  readonly pair: Pair;
  readonly commonName: string;
}

export function createLocalCa(options: LocalCaOptions): LocalCa {
  const roots = new Map<string, Root>();
  const leaves = new Map<string, LocalCertificate>();
  const rootFor = (host: string): Root => {
    const stem = rootStem(options.directory, host);
    const known = roots.get(stem);
    if (known !== undefined && notAfterOf(known.pair) > options.clock.now()) return known;
    const root = openRoot(stem, host, options);
    roots.set(stem, root);
    return root;
  };
  return {
    certificateFor: (text) => {
      const host = checkedHost(text);
      const known = leaves.get(host);
      // A reload with 10 000 hosts need not read 20 000 files again.
      if (known !== undefined && known.notAfter - options.clock.now() > RENEW_WITHIN_MS) return known;
      const leaf = leafOf(host, rootFor(host), options);
      leaves.set(host, leaf);
      return leaf;
    },
    isAtHand: (text) => leaves.has(bareHost(text)),
    removeEnded: () => removeEnded(join(options.directory, 'leaves'), options.clock.now()),
    roots: () => listRoots(options.directory),
    exportRootPem: () => {
      const all = listRoots(options.directory);
      return all.length === 0 ? null : all.map((root) => root.pem).join('');
    },
  };
}

/** File names are made of host names, so nothing else may get this far. */
function checkedHost(text: string): string {
  const host = bareHost(text);
  if (isIP(host) !== 0 || (HOST_NAME.test(host) && !host.includes('..'))) return host;
  throw new PosternError(
    'TLS_BAD_CERTIFICATE',
    `Cannot issue a local certificate for "${text}": it is not a host name`,
  );
}

function fileNameOf(host: string): string {
  return host.replace('*', '_wildcard').replaceAll(':', '_');
}

function rootStem(directory: string, host: string): string {
  return isLocalName(host) ? join(directory, 'root') : join(directory, 'roots', fileNameOf(host));
}

function openRoot(stem: string, host: string, { clock, onNotice }: LocalCaOptions): Root {
  const answer = readPair(stem);
  if (answer.kind === 'broken') {
    throw new PosternError(
      'TLS_BAD_CERTIFICATE',
      `Cannot use the local CA: ${answer.why}. Restore it from a backup, or move the folder away for a new CA`,
    );
  }
  if (answer.kind === 'found') {
    const { pair } = answer;
    if (notAfterOf(pair) > clock.now()) return { pair, commonName: commonNameOf(pair) };
    renameSync(`${stem}.pem`, `${stem}.expired.pem`);
    renameSync(`${stem}.key`, `${stem}.expired.key`);
    onNotice(`${commonNameOf(pair)} has expired: a new root replaces it, which browsers must trust anew`);
  }
  const root = makeRoot(stem, host, clock.now());
  onNotice(noticeOf(root, host));
  return root;
}

function noticeOf(root: Root, host: string): string {
  if (isLocalName(host))
    return `${root.commonName} was made for private names. Browsers must trust it: postern ca install`;
  return `${root.commonName} was made: the main root may not sign for that name. Browsers must trust this one too`;
}

function makeRoot(stem: string, host: string, now: number): Root {
  const { publicKey, privateKey } = newKeys();
  const id = randomBytes(4).toString('hex');
  const commonName = isLocalName(host)
    ? `Postern local CA ${id}`
    : `Postern local CA ${id} only for ${host}`.slice(0, 64);
  const permitted = isLocalName(host) ? LOCAL_SUFFIXES : [host.startsWith('*.') ? host.slice(2) : host];
  const validity = { notBefore: now - BACKDATE_MS, notAfter: now + ROOT_LIFE_MS };
  const pem = writeRoot({ commonName, publicKey, privateKey, permitted, ...validity });
  return { pair: writePair(stem, pem, privateKey, true), commonName };
}

function leafOf(host: string, root: Root, { directory, clock }: LocalCaOptions): LocalCertificate {
  const stem = join(directory, 'leaves', fileNameOf(host));
  const answer = readPair(stem);
  const isGood = answer.kind === 'found' && isGoodLeaf(answer.pair, host, root, clock.now());
  const pair = isGood ? answer.pair : issueLeaf(stem, host, root, clock.now());
  const { certificatePem, keyPem } = pair;
  return { certificatePem, keyPem, notAfter: notAfterOf(pair), root: root.commonName };
}

function isGoodLeaf({ certificate }: Pair, host: string, root: Root, now: number): boolean {
  const issuer = root.pair.certificate;
  const end = certificate.validToDate.getTime();
  // A leaf cannot outlive its root, so close to the root's end it is as fresh as it can be.
  const isFresh = end - now > RENEW_WITHIN_MS || (end > now && end >= notAfterOf(root.pair));
  const names = namesOf(certificate);
  const isItsName = names.length === 1 && names[0] === host;
  return isItsName && isFresh && certificate.validFromDate.getTime() <= now && certificate.checkIssued(issuer);
}

function issueLeaf(stem: string, name: string, root: Root, now: number): Pair {
  const { publicKey, privateKey } = newKeys();
  const { commonName, pair } = root;
  const issuer = { commonName, publicKey: pair.certificate.publicKey, privateKey: pair.key };
  const notAfter = Math.min(now + LEAF_LIFE_MS, notAfterOf(pair));
  return writePair(
    stem,
    writeLeaf({ name, publicKey, issuer, notBefore: now - BACKDATE_MS, notAfter }),
    privateKey,
    false,
  );
}

/** A leaf lives as long from the moment in which its files were written, at most. */
async function removeEnded(folder: string, now: number): Promise<void> {
  if (!existsSync(folder)) return;
  for await (const { name } of await opendir(folder)) {
    const path = join(folder, name);
    // Somebody else may have removed it meanwhile.
    const file = await stat(path).catch(() => null);
    if (file?.isFile() === true && now - file.mtimeMs > LEAF_LIFE_MS) await rm(path, { force: true });
  }
}

function listRoots(directory: string): LocalRoot[] {
  const extras = join(directory, 'roots');
  const names = existsSync(extras) ? readdirSync(extras).sort() : [];
  const stems = names
    .filter((name) => name.endsWith('.pem') && !name.endsWith('.expired.pem'))
    .map((name) => join(extras, name.slice(0, -'.pem'.length)));
  return [join(directory, 'root'), ...stems].flatMap((stem) => {
    const answer = readPair(stem);
    if (answer.kind !== 'found') return [];
    const { pair } = answer;
    const isMain = stem === join(directory, 'root');
    const name = stem.slice(extras.length + 1).replace('_wildcard', '*');
    const onlyFor = isMain ? null : ipFromFileName(name);
    return [{ commonName: commonNameOf(pair), pem: pair.certificatePem, notAfter: notAfterOf(pair), onlyFor }];
  });
}

function ipFromFileName(name: string): string {
  const ip = name.replaceAll('_', ':');
  return isIP(ip) === 0 ? name : ip;
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function notAfterOf({ certificate }: Pair): number {
  return certificate.validToDate.getTime();
}

function commonNameOf({ certificate }: Pair): string {
  return /(?:^|\n)CN=(.*)/.exec(certificate.subject)?.[1] ?? '';
}
