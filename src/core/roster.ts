/**
 * Who is in, at the cost of one array slot each: everybody remembers their seat, and the last one takes
 * the seat of whoever leaves. A Set will not do here: with every request coming and going it is rehashed
 * all the time, and each discarded table keeps what it held, and the next table, alive until a full
 * garbage collection (measured: a quarter of all garbage survived, at a tenth of the CPU).
 */
export interface Seated {
  /** -1: not in. */
  seat: number;
}

export class Roster<T extends Seated> {
  readonly #seats: T[] = [];

  get size(): number {
    return this.#seats.length;
  }

  add(member: T): void {
    if (member.seat !== -1) return;
    member.seat = this.#seats.length;
    this.#seats.push(member);
  }

  /** False where the member was not in. */
  remove(member: T): boolean {
    const { seat } = member;
    if (seat === -1) return false;
    const last = this.#seats.pop() as T;
    if (last !== member) {
      this.#seats[seat] = last;
      last.seat = seat;
    }
    member.seat = -1;
    return true;
  }

  /** Whoever is in now; they may leave while they are gone through. */
  all(): readonly T[] {
    return this.#seats.slice();
  }

  /** Those of whom it is true, taken out. */
  take(isWanted: (member: T) => boolean): T[] {
    const taken = this.#seats.filter((member) => isWanted(member));
    for (const member of taken) this.remove(member);
    return taken;
  }
}
