/**
 * Reads the text format of Prometheus 0.0.4 as strictly as its specification words it, for tests: every
 * family is announced, together and once; no sample comes twice; histograms are cumulative and complete.
 */
export interface ParsedFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: Map<string, number>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`;
const SAMPLE = new RegExp(
  String.raw`^(${NAME})(?:\{(${LABEL}(?:,${LABEL})*)\})? ([+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$`,
);

export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new SyntaxError('The last line has no end');
  const families = new Map<string, ParsedFamily>();
  const lines = text.slice(0, -1).split('\n');
  let current = '';
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const help = new RegExp(String.raw`^# HELP (${NAME}) ((?:[^\\]|\\\\|\\n)*)$`).exec(line);
    if (help !== null) {
      current = help[1] ?? '';
      if (families.has(current)) throw new SyntaxError(`Family "${current}" comes twice`);
      const type = new RegExp(`^# TYPE ${current} (counter|gauge|histogram)$`).exec(lines[at + 1] ?? '');
      if (type === null) throw new SyntaxError(`Family "${current}" has no type after its help`);
      families.set(current, { type: type[1] ?? '', help: help[2] ?? '', samples: new Map() });
      at += 1;
      continue;
    }
    addSample(families.get(current), current, line);
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function addSample(family: ParsedFamily | undefined, name: string, line: string): void {
  const match = SAMPLE.exec(line);
  if (match === null || family === undefined) throw new SyntaxError(`Line is no sample: ${line}`);
  const [, sample = '', labels = '', value = ''] = match;
  const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
  if (!suffixes.some((suffix) => sample === name + suffix))
    throw new SyntaxError(`Sample "${sample}" is not of "${name}"`);
  const names = [...labels.matchAll(new RegExp(LABEL, 'g'))].map(([label]) => label.slice(0, label.indexOf('=')));
  if (new Set(names).size !== names.length) throw new SyntaxError(`A label comes twice: ${line}`);
  const key = `${sample}{${labels}}`;
  if (family.samples.has(key)) throw new SyntaxError(`Sample comes twice: ${key}`);
  family.samples.set(key, Number(value.replace('Inf', 'Infinity')));
}

function checkFamily(name: string, { type, samples }: ParsedFamily): void {
  if (samples.size === 0) throw new SyntaxError(`Family "${name}" is empty`);
  if (type === 'counter' && !name.endsWith('_total')) throw new SyntaxError(`Counter "${name}" does not end in _total`);
  for (const [key, value] of samples)
    if (Number.isNaN(value) || (type !== 'gauge' && value < 0)) throw new SyntaxError(`${key} is ${value}`);
  if (type !== 'histogram') return;
  const last = new Map<string, number>();
  for (const [key, value] of samples) {
    const bucket = /^(.*)_bucket\{(.*?),?le="([^"]*)"\}$/.exec(key);
    if (bucket === null) continue;
    const series = bucket[2] ?? '';
    if (value < (last.get(series) ?? 0)) throw new SyntaxError(`${key} is less than the bucket below`);
    last.set(series, value);
    if (bucket[3] === '+Inf' && samples.get(`${name}_count{${series}}`) !== value)
      throw new SyntaxError(`${key} is not the count`);
  }
}
