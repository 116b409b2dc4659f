/**
 * Reads the structured ("alpha") file. What it says of the provider and of listeners becomes the options
 * that say the same; upstreams, headers and parameters of the sign-in address stay as they are.
 */
import { PROVIDER_FIELDS } from './alpha-fields.ts';
import { readAlphaHeaders, readSecretSource } from './alpha-headers.ts';
import { readAlphaUpstreams } from './alpha-upstreams.ts';
import { substituteEnv } from './env-substitution.ts';
import { optionOf } from './option-table.ts';
import { createYamlReader } from './yaml-reader.ts';
import type { FieldTable } from './alpha-fields.ts';
import type { Findings } from './finding.ts';
import type { Given, GivenOptions } from './given.ts';
import type { OptionValue } from './option.ts';
import type { TextFile } from './read-toml.ts';
import type { LoginParameterInput, Structured, TlsInput } from './structured.ts';
import type { YamlField, YamlReader } from './yaml-reader.ts';

export interface Alpha {
  readonly given: GivenOptions;
  readonly structured: Structured;
}

const NOTHING: Structured = {
  isAlpha: true,
  upstreams: [],
  requestHeaders: [],
  responseHeaders: [],
  loginParameters: [],
  additionalClaims: [],
  adfsSkipsScope: false,
  tls: null,
  metricsTls: null,
};

export function readAlpha(file: TextFile, variables: ReadonlyMap<string, string>, findings: Findings): Alpha {
  const given = new Map<string, Given>();
  // No listener unless the file names one.
  for (const key of ['http_address', 'https_address']) given.set(key, { value: '', source: file.name });
  const text = substituted(file, variables, findings);
  const reader = text === null ? null : createYamlReader({ name: file.name, text }, findings);
  if (reader === null || reader.root === null) return { given, structured: NOTHING };
  const sections = reader.fields(reader.root, [
    'providers',
    'upstreamConfig',
    'injectRequestHeaders',
    'injectResponseHeaders',
    'server',
    'metricsServer',
  ]);
  const provider = readProviders(reader, sections.get('providers'), given, findings);
  const headers = (name: 'injectRequestHeaders' | 'injectResponseHeaders'): Structured['requestHeaders'] => {
    const field = sections.get(name);
    return field === undefined ? [] : readAlphaHeaders(reader, field);
  };
  const upstreams = sections.get('upstreamConfig');
  return {
    given,
    structured: {
      ...NOTHING,
      ...provider,
      upstreams: upstreams === undefined ? [] : readAlphaUpstreams(reader, upstreams),
      requestHeaders: headers('injectRequestHeaders'),
      responseHeaders: headers('injectResponseHeaders'),
      tls: readServer(reader, sections.get('server'), given, ''),
      metricsTls: readServer(reader, sections.get('metricsServer'), given, 'metrics_'),
    },
  };
}

function substituted(file: TextFile, variables: ReadonlyMap<string, string>, findings: Findings): string | null {
  const result = substituteEnv(file.text, variables);
  if (!result.ok) {
    const source = `${file.name}:${result.line}`;
    const message = 'has a "${" that is not closed on its line';
    findings.add({
      severity: 'error',
      option: 'the file',
      source,
      message,
      remedy: 'close it, or write "$$" for a dollar',
    });
    return null;
  }
  for (const name of result.unset) {
    const message = 'is empty: the variable is not set';
    const remedy = `set it, or write \${${name}:-default}`;
    findings.add({ severity: 'warning', option: `\${${name}}`, source: file.name, message, remedy });
  }
  return result.text;
}

type ProviderExtras = Pick<Structured, 'loginParameters' | 'additionalClaims' | 'adfsSkipsScope'>;
const NO_EXTRAS: ProviderExtras = { loginParameters: [], additionalClaims: [], adfsSkipsScope: false };

function readProviders(
  reader: YamlReader,
  field: YamlField | undefined,
  given: Map<string, Given>,
  findings: Findings,
): ProviderExtras {
  const [provider, second] = field === undefined ? [] : reader.items(field);
  if (second !== undefined) {
    const message = 'has no effect: the first provider alone is used';
    const remedy = 'take it out; "postern run" knows several providers';
    findings.add({ severity: 'warning', option: second.path, source: second.source, message, remedy });
  }
  if (provider === undefined) return NO_EXTRAS;
  const extras = ['id', 'loginURLParameters', 'additionalClaims', 'ADFSConfig'] as const;
  const fields = reader.fields<string>(provider, [...Object.keys(PROVIDER_FIELDS), ...extras]);
  readTable({ reader, fields, table: PROVIDER_FIELDS, given });
  const [parameters, claims, adfs] = extras.slice(1).map((name) => fields.get(name));
  const id = fields.get('id');
  if (id !== undefined) reader.string(id);
  return {
    loginParameters: parameters === undefined ? [] : reader.items(parameters).map((one) => loginParameter(reader, one)),
    additionalClaims: claims === undefined ? [] : (reader.strings(claims) ?? []),
    adfsSkipsScope: adfs !== undefined && skipScope(reader, adfs),
  };
}

function skipScope(reader: YamlReader, adfs: YamlField): boolean {
  const field = reader.fields(adfs, ['skipScope']).get('skipScope');
  return field !== undefined && reader.bool(field) === true;
}

function readTable(step: {
  readonly reader: YamlReader;
  readonly fields: ReadonlyMap<string, YamlField>;
  readonly table: FieldTable;
  readonly given: Map<string, Given>;
}): void {
  const { reader, fields, table, given } = step;
  for (const [name, field] of fields) {
    const entry = table[name];
    if (entry === undefined) continue;
    if (typeof entry === 'string') giveField(reader, field, entry, given);
    else readTable({ reader, fields: reader.fields<string>(field, Object.keys(entry)), table: entry, given });
  }
}

function giveField(reader: YamlReader, field: YamlField, key: string, given: Map<string, Given>): void {
  const value = valueOf(reader, field, key);
  if (value !== null) given.set(key, { value, source: field.source, name: field.path });
}

function valueOf(reader: YamlReader, field: YamlField, key: string): OptionValue | null {
  const { type } = optionOf(key);
  if (type === 'bool') return reader.bool(field);
  return type === 'list' ? reader.strings(field) : reader.string(field);
}

function loginParameter(reader: YamlReader, field: YamlField): LoginParameterInput {
  const fields = reader.fields(field, ['name', 'default', 'allow']);
  const [name, usual, allow] = [fields.get('name'), fields.get('default'), fields.get('allow')];
  return {
    option: field.path,
    source: field.source,
    name: name === undefined ? '' : (reader.string(name) ?? ''),
    default: usual === undefined ? [] : (reader.strings(usual) ?? []),
    allow: allow === undefined ? [] : reader.items(allow).map((rule) => parameterRule(reader, rule)),
  };
}

function parameterRule(reader: YamlReader, field: YamlField): LoginParameterInput['allow'][number] {
  const fields = reader.fields(field, ['value', 'pattern']);
  const [value, pattern] = [fields.get('value'), fields.get('pattern')];
  return {
    value: value === undefined ? null : reader.string(value),
    pattern: pattern === undefined ? null : reader.string(pattern),
  };
}

function readServer(
  reader: YamlReader,
  field: YamlField | undefined,
  given: Map<string, Given>,
  prefix: '' | 'metrics_',
): TlsInput | null {
  if (field === undefined) return null;
  const fields = reader.fields(field, ['bindAddress', 'secureBindAddress', 'tls']);
  const [plain, secure, tls] = [fields.get('bindAddress'), fields.get('secureBindAddress'), fields.get('tls')];
  const isMetrics = prefix === 'metrics_';
  if (plain !== undefined) giveField(reader, plain, isMetrics ? 'metrics_address' : 'http_address', given);
  if (secure !== undefined) giveField(reader, secure, isMetrics ? 'metrics_secure_address' : 'https_address', given);
  if (tls === undefined) return null;
  const parts = reader.fields(tls, ['key', 'cert', 'minVersion', 'cipherSuites']);
  const source = (name: 'key' | 'cert'): TlsInput['key'] => {
    const part = parts.get(name);
    if (part === undefined) return null;
    const read = readSecretSource(reader, part);
    given.set(`${prefix}tls_${name}_file`, { value: read.fromFile ?? '', source: part.source, name: part.path });
    return read;
  };
  const [least, suites] = [parts.get('minVersion'), parts.get('cipherSuites')];
  if (!isMetrics && least !== undefined) giveField(reader, least, 'tls_min_version', given);
  if (!isMetrics && suites !== undefined) giveField(reader, suites, 'tls_cipher_suites', given);
  return { certificate: source('cert'), key: source('key') };
}
