/**
 * The Huffman code of HPACK (RFC 7541 appendix B and section 5.2). The code is canonical, so the length of
 * each symbol's code is all there is to know. Decoding walks a table by half bytes: no code is shorter than
 * five bits, so half a byte never ends two symbols. Padding longer than seven bits or of other bits than
 * ones, and the symbol EOS, are errors.
 */

/** Bits of the code of each byte, and last of EOS. */
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const EOS = 256;
const MAX_BITS = 30;
const CODE_BITS = new Uint8Array(LENGTHS);
const CODES = new Uint32Array(LENGTHS.length);

/** Of every node of the code's tree but its leaves, and 16 half bytes: where it leads. */
const NEXT = new Uint16Array(256 * 16);
/** The symbol that ends on the way, or NOTHING. */
const SYMBOL = new Uint16Array(256 * 16);
const NOTHING = 0xffff;
const BROKEN = 0xfffe;
/** 1 where a text may end at the node: behind a whole symbol, or in up to seven ones (section 5.2). */
const MAY_END = new Uint8Array(256);

fillCodes();
fillTables();

/** Symbols of one length follow each other, and shorter codes come first. */
function fillCodes(): void {
  let code = 0;
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    code *= 2;
    for (let symbol = 0; symbol <= EOS; symbol++) if (CODE_BITS[symbol] === bits) CODES[symbol] = code++;
  }
}

/** A child of a node: another node, or -1 - symbol. */
type Tree = number[][];

function plant(): Tree {
  const tree: Tree = [[]];
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let node = 0;
    for (let bit = (CODE_BITS[symbol] as number) - 1; bit >= 0; bit--) {
      const turn = ((CODES[symbol] as number) >>> bit) & 1;
      const children = tree[node] as number[];
      if (bit === 0) children[turn] = -1 - symbol;
      else if (children[turn] === undefined) children[turn] = tree.push([]) - 1;
      node = children[turn] ?? 0;
    }
  }
  return tree;
}

function fillTables(): void {
  const tree = plant();
  for (let node = 0; node < tree.length; node++) {
    for (let half = 0; half < 16; half++) walk(tree, node, half);
  }
  for (let node = 0, ones = 0; ones < 8; ones++) {
    MAY_END[node] = 1;
    node = (tree[node] as number[])[1] as number;
  }
}

// oxlint-disable-next-line max-params -- fills one cell of two tables
function walk(tree: Tree, from: number, half: number): void {
  const cell = from * 16 + half;
  let node = from;
  SYMBOL[cell] = NOTHING;
  for (let bit = 3; bit >= 0; bit--) {
    const child = (tree[node] as number[])[(half >> bit) & 1] as number;
    node = child < 0 ? 0 : child;
    if (child < 0) SYMBOL[cell] = -1 - child === EOS ? BROKEN : -1 - child;
    if (SYMBOL[cell] === BROKEN) return;
  }
  NEXT[cell] = node;
}

/** Decodes bytes[from..to) into `into` and answers how many bytes came out, -1 where they are no such code. */
// oxlint-disable-next-line max-params -- the hot path takes no options object
export function decodeHuffman(bytes: Buffer, from: number, to: number, into: Buffer): number {
  let node = 0;
  let out = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    let cell = node * 16 + (byte >> 4);
    let symbol = SYMBOL[cell] as number;
    if (symbol < 256) into[out++] = symbol;
    else if (symbol === BROKEN) return -1;
    cell = (NEXT[cell] as number) * 16 + (byte & 15);
    symbol = SYMBOL[cell] as number;
    if (symbol < 256) into[out++] = symbol;
    else if (symbol === BROKEN) return -1;
    node = NEXT[cell] as number;
  }
  return MAY_END[node] === 1 ? out : -1;
}

/** Bytes that latin1 text takes in the code. */
export function huffmanBytes(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE_BITS[text.charCodeAt(i)] as number;
  return (bits + 7) >>> 3;
}

/** Writes latin1 text in the code, and answers where it ends. */
export function encodeHuffman(text: string, into: Buffer, at: number): number {
  let held = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    let code = CODES[symbol] as number;
    let left = CODE_BITS[symbol] as number;
    // Seven bits may be held: with a code of 30 they do not fit 32.
    if (left > 24) {
      held = (held << (left - 24)) | (code >>> 24);
      bits += left - 24;
      code &= 0xffffff;
      left = 24;
      while (bits >= 8) into[at++] = held >>> (bits -= 8);
      held &= (1 << bits) - 1;
    }
    held = (held << left) | code;
    bits += left;
    while (bits >= 8) into[at++] = held >>> (bits -= 8);
    held &= (1 << bits) - 1;
  }
  if (bits > 0) into[at++] = (held << (8 - bits)) | (0xff >>> bits);
  return at;
}
