/**
 * The streams that were closed last on a connection. Frames for one that we reset may be on their way and are
 * passed over (RFC 9113 section 5.4.2); for one that the client closed they are an error (section 5.1). Of
 * older ones nothing is known, as if they had never been.
 */
export class ClosedStreams {
  readonly #size: number;
  #ids: Int32Array | null = null;
  #at = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Negative ids are those that we reset. */
  add(id: number, wasResetByUs: boolean): void {
    this.#ids ??= new Int32Array(this.#size);
    this.#ids[this.#at] = wasResetByUs ? -id : id;
    this.#at = this.#at + 1 === this.#size ? 0 : this.#at + 1;
  }

  has(id: number): boolean {
    return this.#ids !== null && (this.#ids.includes(id) || this.#ids.includes(-id));
  }

  wereReset(id: number): boolean {
    return this.#ids !== null && this.#ids.includes(-id);
  }
}
