/** Headers of the structured file, and secrets in it. */
import { isSeq, isScalar } from 'yaml';
import type { ClaimSourceInput, HeaderInput, HeaderValueInput, SecretSourceInput } from './structured.ts';
import type { YamlField, YamlReader } from './yaml-reader.ts';

export function readAlphaHeaders(reader: YamlReader, field: YamlField): readonly HeaderInput[] {
  return reader.items(field).map((header) => {
    const fields = reader.fields(header, ['name', 'preserveRequestValue', 'InsecureSkipHeaderNormalization', 'values']);
    const [name, keeps, skips, values] = [
      fields.get('name'),
      fields.get('preserveRequestValue'),
      fields.get('InsecureSkipHeaderNormalization'),
      fields.get('values'),
    ];
    return {
      option: header.path,
      source: header.source,
      name: name === undefined ? '' : (reader.string(name) ?? ''),
      preserveRequestValue: keeps !== undefined && reader.bool(keeps) === true,
      insecureSkipHeaderNormalization: skips !== undefined && reader.bool(skips) === true,
      values: values === undefined ? [] : reader.items(values).flatMap((value) => headerValue(reader, value) ?? []),
    };
  });
}

/** Versions before 7.5 had `claim:` and `value:` without the level between. */
const FLAT = ['claim', 'prefix', 'basicAuthPassword', 'value', 'fromEnv', 'fromFile'] as const;

function headerValue(reader: YamlReader, field: YamlField): HeaderValueInput | null {
  const fields = reader.fields(field, ['secretSource', 'claimSource', ...FLAT]);
  const flat = FLAT.find((name) => fields.has(name));
  if (flat !== undefined) {
    const outer =
      flat === 'claim' || flat === 'prefix' || flat === 'basicAuthPassword' ? 'claimSource' : 'secretSource';
    return reader.fault(field, `has "${flat}" without "${outer}" around it`, `write ${outer}: { ${flat}: ... }`);
  }
  const [secret, claim] = [fields.get('secretSource'), fields.get('claimSource')];
  if ((secret === undefined) === (claim === undefined))
    return reader.fault(field, 'has not exactly one of secretSource and claimSource', 'write one of them');
  if (claim !== undefined) return { kind: 'claim', source: claimSource(reader, claim) };
  return secret === undefined ? null : { kind: 'secret', source: readSecretSource(reader, secret) };
}

function claimSource(reader: YamlReader, field: YamlField): ClaimSourceInput {
  const fields = reader.fields(field, ['claim', 'prefix', 'basicAuthPassword']);
  const [claim, prefix, password] = [fields.get('claim'), fields.get('prefix'), fields.get('basicAuthPassword')];
  return {
    claim: claim === undefined ? '' : (reader.string(claim) ?? ''),
    prefix: prefix === undefined ? '' : (reader.string(prefix) ?? ''),
    basicAuthPassword: password === undefined ? null : readSecretSource(reader, password),
  };
}

export function readSecretSource(reader: YamlReader, field: YamlField): SecretSourceInput {
  const fields = reader.fields(field, ['value', 'fromEnv', 'fromFile']);
  const [value, fromEnv, fromFile] = [fields.get('value'), fields.get('fromEnv'), fields.get('fromFile')];
  return {
    value: value === undefined ? null : (bytesOf(value) ?? reader.string(value)),
    fromEnv: fromEnv === undefined ? null : reader.string(fromEnv),
    fromFile: fromFile === undefined ? null : reader.string(fromFile),
  };
}

/** A list of byte values, as the original's own conversion writes it. */
function bytesOf({ node }: YamlField): string | null {
  if (!isSeq(node)) return null;
  const bytes = node.items.map((item) => (isScalar(item) ? Number(item.value) : Number.NaN));
  return bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)
    ? Buffer.from(bytes).toString()
    : null;
}
