/**
 * Writes the text format of Prometheus (version 0.0.4). A family is announced once, with help and type,
 * and its samples follow together. Names that break the format are a defect of ours and throw.
 */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface Sample {
  /** "_bucket", "_sum" or "_count" of a histogram. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export function writeExposition(families: readonly Family[]): string {
  return families
    .filter((family) => family.samples.length > 0)
    .map(familyText)
    .join('');
}

function familyText({ name, help, type, samples }: Family): string {
  if (!NAME.test(name)) throw new TypeError(`Cannot write metric "${name}": it is not a metric name`);
  const about = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  let text = `# HELP ${name} ${about}\n# TYPE ${name} ${type}\n`;
  for (const sample of samples)
    text += `${name}${sample.suffix ?? ''}${labelsText(sample.labels)} ${numberText(sample.value)}\n`;
  return text;
}

function labelsText(labels: Sample['labels']): string {
  if (labels === undefined) return '';
  const parts = Object.entries(labels).map(([name, value]) => {
    if (!LABEL.test(name) || name.startsWith('__'))
      throw new TypeError(`Cannot write label "${name}": it is not a label name`);
    return `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
  });
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
