/** Requests as bytes, and what a connection says to them in words. */
import * as h2 from '../../../test/support/http2-frames.ts';
import { PosternError } from '../../core/errors.ts';
import type { BodySink, HandleExchange, ResponseHead } from '../exchange.ts';
import { HeaderBlock } from '../header-block.ts';
import { type MemoryRig, openInMemory } from './_rig.ts';

export const BASE: h2.Fields = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':path', '/'],
  [':authority', 'a.test'],
];
export const WHOLE: number = h2.END_STREAM | h2.END_HEADERS;
export const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const request = (id: number, flags: number = WHOLE, more: h2.Fields = []): Buffer =>
  h2.frame(h2.HEADERS, flags, id, h2.block([...BASE, ...more]));
export const data = (id: number, bytes: Buffer | string, flags = 0): Buffer => h2.frame(h2.DATA, flags, id, bytes);
export const head: ResponseHead = { status: 200, headers: HeaderBlock.from({ Date: 'x' }) };
export const ok: HandleExchange = (exchange) => exchange.respondWhole(head, 'ok');

export function open(handle: HandleExchange = () => undefined): MemoryRig {
  const rig = openInMemory(handle);
  rig.send(h2.PREFACE, h2.frame(h2.SETTINGS, 0, 0), h2.frame(h2.SETTINGS, 1, 0));
  return rig;
}

/** What went out since the last call, in words. */
export function said(rig: MemoryRig): string[] {
  const frames = rig.frames();
  rig.socket.bytes.length = 0;
  return frames.map(({ type, flags, id, payload }) => {
    if (type === h2.GOAWAY) return `goaway ${payload.readUInt32BE(0)} ${payload.readUInt32BE(4)}`;
    if (type === h2.RST_STREAM) return `reset ${id} ${payload.readUInt32BE(0)}`;
    if (type === h2.WINDOW_UPDATE) return `window ${id} ${payload.readUInt32BE(0)}`;
    if (type === h2.DATA) return `data ${id} ${payload.length}${(flags & 1) === 1 ? ' end' : ''}`;
    return `${['', 'headers', '', '', 'settings', '', 'ping'][type]} ${id}${type === h2.HEADERS && (flags & 1) === 1 ? ' end' : ''}`;
  });
}

/** A sink that keeps what it is given, and takes more only when told to. */
export class Held implements BodySink {
  text = '';
  bytes = 0;
  end_: string | null = null;
  isOpen = true;
  write(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (chunk.length < 100) this.text += chunk.toString();
    return this.isOpen;
  }
  flush(): void {}
  end(trailers: HeaderBlock | null): void {
    this.end_ = `end ${trailers?.get('x-sum') ?? ''}`;
  }
  abort(error: PosternError): void {
    this.end_ = `abort ${error.code}`;
  }
}
