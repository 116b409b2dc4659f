/** Numbers of RFC 9113, RFC 8441 and RFC 9218, and how a broken rule ends a connection. */

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const HAS_PRIORITY = 0x20;

export const NO_ERROR = 0;
export const PROTOCOL_ERROR = 1;
export const INTERNAL_ERROR = 2;
export const FLOW_CONTROL_ERROR = 3;
export const SETTINGS_TIMEOUT = 4;
export const STREAM_CLOSED = 5;
export const FRAME_SIZE_ERROR = 6;
export const REFUSED_STREAM = 7;
export const CANCEL = 8;
export const COMPRESSION_ERROR = 9;
export const ENHANCE_YOUR_CALM = 11;

export const HEADER_TABLE_SIZE = 1;
export const ENABLE_PUSH = 2;
export const MAX_CONCURRENT_STREAMS = 3;
export const INITIAL_WINDOW_SIZE = 4;
export const MAX_FRAME_SIZE = 5;
export const MAX_HEADER_LIST_SIZE = 6;
export const ENABLE_CONNECT_PROTOCOL = 8;
export const NO_RFC7540_PRIORITIES = 9;

export const FRAME_HEAD_BYTES = 9;
/** The largest frame that we take, and the largest that we send: what every peer takes (section 4.2). */
export const FRAME_BYTES = 16_384;
export const DEFAULT_WINDOW = 65_535;
export const MAX_WINDOW = 0x7fffffff;
/** Of a setting: four bytes. */
export const MAX_SETTING = 0xffffffff;
export const MAX_STREAM_ID = 0x7fffffff;

/** Ends the connection with GOAWAY. `rule` is for the log, where it is worth a line there. */
export class Http2ConnectionError extends Error {
  readonly code: number;
  readonly rule: string;

  constructor(code: number, rule: string) {
    super(`Cannot go on with the HTTP/2 connection: rule "${rule}" is broken`);
    this.name = 'Http2ConnectionError';
    this.code = code;
    this.rule = rule;
  }
}
