/**
 * The durable store as far as links go: addresses that let whoever has them in, to one path, for a while. It
 * knows the SHA-256 of a link's secret, never the secret. Writes resolve when they would survive a power cut.
 */
export interface StoredLink {
  /** Hex SHA-256 of the secret. */
  readonly key: string;
  /** `link:NAME` in rules and logs. */
  readonly name: string;
  readonly host: string;
  /** "/report.pdf", or "/docs/*" for that and all below. */
  readonly scope: string;
  /** Path and query that it opens. */
  readonly target: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** How often it could be opened when it was made; null: as often as wanted. */
  readonly uses: number | null;
  /** How often it may still be opened; null: as often as wanted. */
  readonly usesLeft: number | null;
  readonly lastUsedAt: number | null;
  /** Over all but the last two, by a key of this gateway; null: made before links were signed. */
  readonly signature: string | null;
}

export interface LinkStore {
  /** False: the name is taken. */
  insertLink(link: StoredLink): Promise<boolean>;
  findLink(key: string): Promise<StoredLink | null>;
  /** Takes one use of it, in one step; null where none is left, it is over, or unknown. */
  takeLink(key: string, now: number): Promise<StoredLink | null>;
  /** By name. */
  listLinks(): Promise<readonly StoredLink[]>;
  /** The link that was there. */
  deleteLink(name: string): Promise<StoredLink | null>;
}
