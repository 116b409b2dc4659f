/** Upstreams of the structured file, with the defaults of the original. */
import type { UpstreamInput } from './structured.ts';
import type { YamlField, YamlReader } from './yaml-reader.ts';

const DEFAULT_FLUSH_MS = 1000;
const DEFAULT_TIMEOUT_MS = 30_000;
const FIELDS = [
  'id',
  'path',
  'rewriteTarget',
  'uri',
  'insecureSkipTLSVerify',
  'static',
  'staticCode',
  'flushInterval',
  'passHostHeader',
  'proxyWebSockets',
  'timeout',
  'disableKeepAlives',
] as const;
type Name = (typeof FIELDS)[number];

export function readAlphaUpstreams(reader: YamlReader, field: YamlField): readonly UpstreamInput[] {
  const fields = reader.fields(field, ['proxyRawPath', 'upstreams']);
  const [raw, list] = [fields.get('proxyRawPath'), fields.get('upstreams')];
  // Paths go to the application as they came either way; only its type is looked at.
  if (raw !== undefined) reader.bool(raw);
  return list === undefined ? [] : reader.items(list).map((item) => upstreamOf(reader, item));
}

function upstreamOf(reader: YamlReader, item: YamlField): UpstreamInput {
  const fields = reader.fields(item, FIELDS);
  const ask = <T>(name: Name, read: (field: YamlField) => T | null, usual: T): T => {
    const field = fields.get(name);
    return field === undefined ? usual : (read(field) ?? usual);
  };
  const isStatic = ask('static', reader.bool, false);
  const staticCode = ask<number | null>('staticCode', reader.int, null);
  const code = fields.get('staticCode');
  if (!isStatic && code !== undefined) reader.fault(code, 'is given without static', 'write static: true');
  return {
    option: item.path,
    source: item.source,
    id: required(reader, item, ask('id', reader.string, ''), 'id'),
    path: required(reader, item, ask('path', reader.string, ''), 'path'),
    rewriteTarget: ask('rewriteTarget', reader.string, ''),
    uri: isStatic ? '' : required(reader, item, ask('uri', reader.string, ''), 'uri'),
    isStatic,
    staticCode,
    insecureSkipTlsVerify: !isStatic && ask('insecureSkipTLSVerify', reader.bool, false),
    passHostHeader: !isStatic && ask('passHostHeader', reader.bool, true),
    proxyWebSockets: !isStatic && ask('proxyWebSockets', reader.bool, true),
    disableKeepAlives: !isStatic && ask('disableKeepAlives', reader.bool, false),
    flushMs: ask('flushInterval', reader.duration, DEFAULT_FLUSH_MS),
    timeoutMs: ask('timeout', reader.duration, DEFAULT_TIMEOUT_MS),
  };
}

function required(reader: YamlReader, item: YamlField, text: string, name: Name): string {
  if (text === '') reader.fault(item, `has no ${name}`, `write ${name}: ...`);
  return text;
}
