/**
 * What the control thread and an edge worker say to each other. Everything is plain data that a
 * MessagePort can copy; `core/channel.ts` carries it. A worker knows nothing that is not in here.
 */
import type { CertificateSet, LateCertificate } from '../certs/certificate-set.ts';
import type { Document } from '../config/document.ts';
import type { BearerAnswer, SessionAnswer, SessionChange, TokenAnswer } from '../gate/ports.ts';
import type { SigningKey } from '../session/assertion-keys.ts';
import type { MetricsSnapshot } from '../observe/metrics.ts';
import type { ChallengeAnswer } from './challenge-board.ts';
import type { InternalRequest, InternalResponse } from './control-port.ts';
import type { CountsMemory } from './shared-counts.ts';
import type { TokenWish } from './passed-tokens.ts';
import type { SnapshotPart } from './snapshot-parts.ts';

/** What a worker starts with and gets again at each reload. Swapped as one. */
export interface WorkerSnapshot {
  readonly revision: string;
  readonly document: Document;
  readonly certificates: CertificateSet;
  /** How many workers there are: what cannot be counted together is shared out among them. */
  readonly workers: number;
}

export interface WorkerBoot {
  readonly index: number;
  /** Connections of all workers; this one writes the part of this number. */
  readonly counts: CountsMemory;
  readonly part: number;
  /** Cookie names carry it, since cookies ignore ports. */
  readonly instance: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'json' | 'pretty';
  readonly colours: boolean;
  /** 48 bytes shared by all workers. */
  readonly ticketKeys: Uint8Array;
  /** Null: none is there yet, it comes before the first snapshot. */
  readonly assertionKey: SigningKey | null;
  /** Sockets that systemd opened: address text -> file descriptor. Only ever given to one worker. */
  readonly inheritedSockets: Readonly<Record<string, number>>;
}

/** What the control thread serves. */
export type ControlMethods = {
  findSession: (key: string) => Promise<SessionAnswer>;
  /** A machine's token by its hash. */
  findToken: (key: string) => Promise<BearerAnswer>;
  /** An access token of the provider. */
  verifyBearer: (provider: string, token: string) => Promise<BearerAnswer>;
  /** Tokens of the provider, for a session that is used on a route which asks for them. */
  findTokens: (wish: TokenWish) => Promise<TokenAnswer>;
  verifyPassword: (service: string, password: string, peer: string) => Promise<'ok' | 'wrong' | 'busy'>;
  handleInternal: (request: InternalRequest) => Promise<InternalResponse>;
  beginSignIn: (request: InternalRequest) => Promise<InternalResponse>;
  touchSessions: (seen: readonly (readonly [key: string, at: number])[]) => void;
  touchTokens: (seen: readonly (readonly [key: string, at: number])[]) => void;
  /** A visitor names a host in a handshake that gets its certificate on demand or at its first visit; true once its certificate is here. */
  demandCertificate: (name: string) => Promise<boolean>;
};

/** What the pool of workers serves beside. */
export type PoolMethods = {
  /** An exception that nobody caught: the worker goes on as it can until another has taken its place. */
  metDefect: () => void;
};

/** What a worker serves. */
export type WorkerMethods = {
  /** Opens what the next document adds, before it goes live. Rejects with LISTEN_FAILED, and has opened nothing then. */
  openListeners: (listen: Document['listen']) => Promise<void>;
  /** Lets go what the document that stays has not. */
  keepListeners: (listen: Document['listen']) => Promise<void>;
  /**
   * Compiles beside, swaps, decides every open exchange again. Rejects with LISTEN_FAILED at the first snapshot. One that
   * does not stay (it met a defect) opens no address: whoever waited there would be reset with it.
   */
  apply: (snapshot: WorkerSnapshot, stays: boolean) => Promise<void>;
  /** A part of the snapshot that the next `apply` brings the rest of. */
  stage: (revision: string, part: SnapshotPart) => void;
  /** New certificates for the same document. */
  replaceCertificates: (certificates: CertificateSet) => void;
  /** The certificate of a host that somebody visits for the first time. Resolves when it is served. */
  addCertificate: (late: LateCertificate) => void;
  replaceTicketKeys: (keys: Uint8Array) => void;
  /** Assertions are signed with this one from now on. */
  replaceAssertionKey: (key: SigningKey) => void;
  /** Resolves when a CA that asks this worker gets the answer. */
  showChallenge: (answer: ChallengeAnswer) => void;
  hideChallenge: (id: string) => void;
  /** Resolves when no request of these sessions is let through any more. */
  sessionsChanged: (changes: readonly SessionChange[]) => Promise<void>;
  heartbeat: () => void;
  metrics: () => MetricsSnapshot;
  /** Answers what runs, refuses nothing new until the deadline, then ends. */
  drain: (deadlineMs: number) => Promise<void>;
};
