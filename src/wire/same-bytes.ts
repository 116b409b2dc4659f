/**
 * Whether bytes are those that came before, word by word through a DataView, which is compiled inline: a third
 * of what it costs to have them searched and made into text.
 */
const WORD = 4;
const LEAST_SIZE = 512;
const NONE = new Uint8Array(0);
const NO_VIEW = new DataView(NONE.buffer);

/** Views of buffers that are read into again and again are made once. */
let lastBuffer: Uint8Array | null = null;
let lastView: DataView = NO_VIEW;

function viewOf(bytes: Uint8Array): DataView {
  if (bytes === lastBuffer) return lastView;
  lastBuffer = bytes;
  lastView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return lastView;
}

/** A copy of bytes to compare others with; its memory is used again for those that come next. */
export class KnownBytes {
  length = 0;
  #own: Uint8Array = NONE;
  #view: DataView = NO_VIEW;

  /** `bytes`: those that are known from now on. */
  learn(bytes: Uint8Array): void {
    this.length = bytes.length;
    if (bytes.length > this.#own.length) {
      this.#own = new Uint8Array(Math.max(LEAST_SIZE, bytes.length));
      this.#view = new DataView(this.#own.buffer);
    }
    this.#own.set(bytes);
  }

  /** True where bytes[at..to) begin with the known ones. False where none are known. */
  // oxlint-disable-next-line max-params -- the hot path takes no options object
  areAt(bytes: Uint8Array, at: number, to: number): boolean {
    const { length } = this;
    if (length === 0 || to - at < length) return false;
    const known = this.#view;
    const view = viewOf(bytes);
    let i = 0;
    for (; i + WORD <= length; i += WORD) if (view.getInt32(at + i) !== known.getInt32(i)) return false;
    for (; i < length; i++) if (view.getUint8(at + i) !== known.getUint8(i)) return false;
    return true;
  }
}
