/** What the client's SETTINGS say (RFC 9113 section 6.5.2). Unknown ones mean nothing. */
import * as codes from './codes.ts';
import { Http2ConnectionError } from './codes.ts';

export interface SettingsTaker {
  onTableSize: (bytes: number) => void;
  onInitialWindow: (bytes: number) => void;
}

/** More in one frame has no meaning but to cost us. */
const MOST_SETTINGS = 32;

// oxlint-disable-next-line max-params -- as FrameHandler
export function readSettings(bytes: Buffer, from: number, to: number, taker: SettingsTaker): void {
  if ((to - from) % 6 !== 0) throw new Http2ConnectionError(codes.FRAME_SIZE_ERROR, 'settings-size');
  if (to - from > MOST_SETTINGS * 6) throw new Http2ConnectionError(codes.ENHANCE_YOUR_CALM, 'settings-count');
  for (let at = from; at < to; at += 6) take(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2), taker);
}

function take(id: number, value: number, taker: SettingsTaker): void {
  switch (id) {
    case codes.HEADER_TABLE_SIZE:
      taker.onTableSize(value);
      return;
    case codes.INITIAL_WINDOW_SIZE:
      if (value > codes.MAX_WINDOW) throw new Http2ConnectionError(codes.FLOW_CONTROL_ERROR, 'initial-window');
      taker.onInitialWindow(value);
      return;
    case codes.MAX_FRAME_SIZE:
      if (value < codes.FRAME_BYTES || value > 0xffffff) throw broken('max-frame-size');
      return;
    case codes.ENABLE_PUSH:
    case codes.NO_RFC7540_PRIORITIES:
      if (value > 1) throw broken('settings-value');
      return;
    default:
  }
}

function broken(rule: string): Http2ConnectionError {
  return new Http2ConnectionError(codes.PROTOCOL_ERROR, rule);
}
