/**
 * Reads BER (ITU-T X.690) as programs write it that export keys: also indefinite lengths, and octet strings in
 * pieces. For files that an operator gives by hand; depth and size are bounded.
 */

export interface BerElement {
  readonly tag: number;
  /** Of a primitive element; of a constructed one what stands in it. */
  readonly content: Buffer;
  readonly children: readonly BerElement[];
  /** With its tag and length. */
  readonly whole: Buffer;
}

const DEPTH_MAX = 32;
const CONSTRUCTED = 0x20;

/** The first element of a file; SyntaxError where there is none. What follows it is not looked at. */
export function readBer(bytes: Buffer): BerElement {
  return readAt(bytes, 0, 0).element;
}

// oxlint-disable-next-line max-statements -- one tag, one length, one content
function readAt(bytes: Buffer, at: number, depth: number): { element: BerElement; end: number } {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  if (tag === undefined || first === undefined) throw new SyntaxError('Cannot read BER: it ends within an element');
  if (depth > DEPTH_MAX) throw new SyntaxError('Cannot read BER: it is nested too deeply');
  if ((tag & 0x1f) === 0x1f) throw new SyntaxError('Cannot read BER: a tag is too long');
  const isConstructed = (tag & CONSTRUCTED) !== 0;
  if (first === 0x80) {
    if (!isConstructed) throw new SyntaxError('Cannot read BER: a primitive element has no definite length');
    const { children, end } = readUntilEnd(bytes, at + 2, depth);
    return {
      element: { tag, content: bytes.subarray(at + 2, end - 2), children, whole: bytes.subarray(at, end) },
      end,
    };
  }
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + lengthBytes;
  if (lengthBytes > 4 || start > bytes.length) throw new SyntaxError('Cannot read BER: a length is too long');
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
  const end = start + length;
  if (end > bytes.length) throw new SyntaxError('Cannot read BER: an element is longer than what is there');
  const content = bytes.subarray(start, end);
  const children = isConstructed ? readAll(content, depth) : [];
  return { element: { tag, content, children, whole: bytes.subarray(at, end) }, end };
}

function readAll(content: Buffer, depth: number): BerElement[] {
  const found: BerElement[] = [];
  for (let at = 0; at < content.length;) {
    const { element, end } = readAt(content, at, depth + 1);
    found.push(element);
    at = end;
  }
  return found;
}

function readUntilEnd(bytes: Buffer, from: number, depth: number): { children: BerElement[]; end: number } {
  const children: BerElement[] = [];
  let at = from;
  while (bytes[at] !== 0 || bytes[at + 1] !== 0) {
    const { element, end } = readAt(bytes, at, depth + 1);
    children.push(element);
    at = end;
  }
  return { children, end: at + 2 };
}

/** Bytes of an octet string, in one piece or in many (section 8.7.3). */
export function octetsOf(element: BerElement): Buffer {
  if (element.children.length === 0) return element.content;
  return Buffer.concat(element.children.map(octetsOf));
}

/** An object identifier with dots. */
export function oidOf(element: BerElement | undefined): string {
  if (element === undefined || element.tag !== 0x06)
    throw new SyntaxError('Cannot read BER: an object identifier is missing');
  const numbers: number[] = [];
  let value = 0;
  for (const byte of element.content) {
    value = value * 128 + (byte & 0x7f);
    if (value > 2 ** 40) throw new SyntaxError('Cannot read BER: an object identifier is too long');
    if (byte >= 0x80) continue;
    numbers.push(value);
    value = 0;
  }
  const [head = 0, ...rest] = numbers;
  const top = Math.min(2, Math.floor(head / 40));
  return [top, head - top * 40, ...rest].join('.');
}

/** A small non-negative integer. */
export function integerOf(element: BerElement | undefined): number {
  if (element === undefined || element.tag !== 0x02 || element.content.length > 5 || element.content.length === 0)
    throw new SyntaxError('Cannot read BER: a number is missing');
  return element.content.readUIntBE(0, element.content.length);
}
