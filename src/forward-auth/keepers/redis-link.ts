/**
 * The connection to Redis: one for commands, one that hears of changes, and a heartbeat that goes through both each
 * second. Every command is answered within a bounded time. While the heartbeat is not heard nothing that is known
 * here may be trusted; when a command has hung, others are refused at once until the heartbeat is back.
 */
import { randomUUID } from 'node:crypto';
import { Cluster, Redis } from 'ioredis';
import { makeStringsFast } from '../../core/fast-strings.ts';
import { startPatience } from '../../core/patience.ts';
import { createRedisTrouble } from './redis-trouble.ts';
import type { Logger } from '../../core/log.ts';
import type { RedisPlan } from './redis-options.ts';
import type { Socket } from 'node:net';
import type { RedisTrouble } from './redis-trouble.ts';

// ioredis has a class that extends String.
makeStringsFast();

const COMMAND_MS = 1_000;
const BEAT_MS = 1_000;
/** How often a cluster is asked which node has what. */
const SLOTS_MS = 5_000;
/** Without a heartbeat for so long what is known may be out of date. */
const DEAF_MS = 2_500;
const BEAT = 'beat ';
const NEVER = Number.NEGATIVE_INFINITY;

export interface RedisLinkDeps {
  readonly plan: RedisPlan;
  /** Changes are told here. */
  readonly channel: string;
  /** A key that may be read, and that nothing is kept under. */
  readonly probe: string;
  /** Of a change, at whatever Postern; null: some may have been missed. */
  readonly onMessage: (text: string | null) => void;
  readonly log: Logger;
}

export type Commands = Pick<Redis | Cluster, 'get' | 'set' | 'del' | 'eval' | 'publish' | 'zrem' | 'zrevrangebyscore'>;

export class RedisLink {
  readonly #deps: RedisLinkDeps;
  readonly #commands: Redis | Cluster;
  readonly #ears: Redis | Cluster;
  readonly #trouble: RedisTrouble;
  readonly #beating: NodeJS.Timeout;
  readonly #refreshing: NodeJS.Timeout;
  readonly #beat = `${BEAT}${randomUUID()}`;
  #heardAt = NEVER;
  #isHung = false;

  constructor(deps: RedisLinkDeps) {
    this.#deps = deps;
    this.#trouble = createRedisTrouble(deps.log);
    this.#commands = connect(deps.plan);
    this.#ears = connect(deps.plan);
    this.#commands.on('error', (error: Error) => this.#trouble.error(error));
    this.#commands.on('close', () => this.#trouble.error(new Error('the connection was lost')));
    this.#commands.on('ready', () => void this.#pulse());
    this.#listen();
    this.#beating = setInterval(() => {
      this.#revive();
      void this.#pulse();
    }, BEAT_MS);
    this.#beating.unref();
    // ioredis has a timer for this that goes on after the end where an answer was under way.
    this.#refreshing = setInterval(() => this.#refreshSlots(), SLOTS_MS);
    this.#refreshing.unref();
  }

  /** Rejects with STORE_UNAVAILABLE: at once without a connection, else within a second. */
  async run<T>(command: (redis: Commands) => Promise<T>): Promise<T> {
    if (this.#isHung || this.#commands.status !== 'ready') throw this.#trouble.again();
    try {
      return await inTime(command(this.#commands));
    } catch (error) {
      // One node of a cluster says nothing of the others.
      if (error instanceof TooLate && this.#deps.plan.kind === 'single') this.#isHung = true;
      throw this.#trouble.error(error);
    }
  }

  /** Tells every Postern; resolves when Redis has taken it. */
  async tell(text: string): Promise<void> {
    await this.run((redis) => redis.publish(this.#deps.channel, text).catch(allowForbidden));
  }

  /** Whether changes are heard as they happen. */
  hears(): boolean {
    return !this.#isHung && this.#commands.status === 'ready' && performance.now() - this.#heardAt < DEAF_MS;
  }

  isReady(): Promise<boolean> {
    return this.run((redis) => redis.get(this.#deps.probe)).then(
      () => true,
      () => false,
    );
  }

  close(): Promise<void> {
    clearInterval(this.#beating);
    clearInterval(this.#refreshing);
    for (const client of [this.#commands, this.#ears]) disconnect(client);
    return Promise.resolve();
  }

  #listen(): void {
    const ears = this.#ears;
    // The other connection tells of the same trouble.
    ears.on('error', () => {});
    // Where it is forbidden, every session is asked for each time.
    ears.on('ready', () => {
      ears.subscribe(this.#deps.channel).then(
        () => this.#pulse(),
        () => {},
      );
    });
    ears.on('close', () => this.#deafen());
    ears.on('message', (_channel: string, text: string) => {
      if (text === this.#beat) this.#heardAt = performance.now();
      else if (!text.startsWith(BEAT)) this.#deps.onMessage(text);
    });
  }

  /** Where a failover is told while a sentinel is asked who the master is, ioredis takes that for our end of it. */
  #revive(): void {
    for (const client of [this.#commands, this.#ears]) if (client.status === 'end') client.connect().catch(() => {});
  }

  async #pulse(): Promise<void> {
    if (this.#heardAt !== NEVER && performance.now() - this.#heardAt >= DEAF_MS) this.#deafen();
    if (this.#commands.status !== 'ready') return;
    const { channel, probe } = this.#deps;
    try {
      const told = this.#commands.publish(channel, this.#beat).catch(allowForbidden);
      await inTime(Promise.all([told, this.#commands.get(probe)]));
      this.#isHung = false;
      this.#trouble.isOver();
    } catch (error) {
      this.#trouble.error(error);
    }
  }

  #refreshSlots(): void {
    for (const client of [this.#commands, this.#ears])
      if (client instanceof Cluster && client.status === 'ready') client.refreshSlotsCache();
  }

  #deafen(): void {
    this.#heardAt = NEVER;
    this.#deps.onMessage(null);
  }
}

function connect(plan: RedisPlan): Redis | Cluster {
  return plan.kind === 'single' ? new Redis(plan.options) : new Cluster([...plan.nodes], plan.options);
}

/** A socket that is let go of in its TLS handshake fails twice, and ioredis listens once: the process would end. */
function disconnect(client: Redis | Cluster): void {
  client.removeAllListeners('close');
  const nodes = client instanceof Cluster ? client.nodes('all') : [client];
  for (const { stream } of nodes) (stream as Socket | undefined)?.on('error', () => {});
  client.disconnect();
}

class TooLate extends Error {}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const stop = startPatience(COMMAND_MS, () => late.reject(new TooLate(`no answer within ${COMMAND_MS} ms`)));
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    stop();
  }
}

/** Who may not publish may not subscribe either, so no Postern trusts what it knows, and nobody needs to be told. */
function allowForbidden(error: unknown): null {
  if (error instanceof Error && error.message.startsWith('NOPERM')) return null;
  throw error;
}
