/**
 * A thread that sleeps for a moment gives its core away at once. One that only has a lot to do keeps it until the
 * next tick of the kernel, up to 4 ms with the usual 250 a second, however urgent what others have to do.
 */
const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
/** The kernel adds some 50 µs to the shortest sleep. */
const MOMENT_MS = 0.01;

export function letOthersRun(): void {
  Atomics.wait(cell, 0, 0, MOMENT_MS);
}
