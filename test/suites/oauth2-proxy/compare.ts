/** What of the one program is not so of the other, and which of it is listed as meant. */
import type { Difference, OtherAnswer, OtherFacet, Where } from './differences/difference.ts';
import type { Seen } from './pair.ts';

export interface Unlike {
  /** `CONFIGURATION/CASE`, with ` · STEP` where it has several. */
  readonly at: string;
  readonly facet: string;
  readonly original: string;
  readonly postern: string;
}

const ABSENT = '(none)';

export function compare(name: string, original: Seen, postern: Seen): Unlike[] {
  const unlike: Unlike[] = [];
  for (const [id, steps] of original) {
    const labels = new Set([...steps.keys(), ...(postern.get(id)?.keys() ?? [])]);
    for (const label of labels) {
      const at = `${name}/${id}${label === '' ? '' : ` · ${label}`}`;
      const theirs = steps.get(label) ?? new Map<string, string>();
      const ours = postern.get(id)?.get(label) ?? new Map<string, string>();
      for (const facet of new Set([...theirs.keys(), ...ours.keys()])) {
        const [one, other] = [theirs.get(facet) ?? ABSENT, ours.get(facet) ?? ABSENT];
        if (one !== other) unlike.push({ at, facet, original: one, postern: other });
      }
    }
  }
  return unlike;
}

/** Those that are not listed; `onListed` hears of the place that each other one is of. */
export function unlistedOf(
  all: readonly Unlike[],
  differences: readonly Difference[],
  onListed: (where: Where) => void,
): Unlike[] {
  const places = differences.flatMap(({ where }) => where);
  return [...Map.groupBy(all, ({ at }) => at)].flatMap(([at, unlike]) => {
    const answer = places.find((where) => where.kind === 'answer' && isOtherAnswer(where, at, unlike));
    if (answer !== undefined) {
      onListed(answer);
      return [];
    }
    return unlike.filter((one) => {
      const where = places.find((where) => where.kind === 'facet' && isOtherFacet(where, one));
      if (where !== undefined) onListed(where);
      return where === undefined;
    });
  });
}

function isOtherAnswer({ cases, from, to }: OtherAnswer, at: string, unlike: readonly Unlike[]): boolean {
  const status = unlike.find(({ facet }) => facet === 'status' || facet === 'fact' || facet === 'start');
  return cases.test(at) && status !== undefined && status.original === from && to.test(status.postern);
}

function isOtherFacet({ cases, facets, original, postern }: OtherFacet, unlike: Unlike): boolean {
  return (
    cases.test(unlike.at) &&
    facets.test(unlike.facet) &&
    (original?.test(unlike.original) ?? true) &&
    isExpected(postern, unlike)
  );
}

function isExpected(expected: OtherFacet['postern'], { original, postern }: Unlike): boolean {
  if (expected === undefined) return true;
  return typeof expected === 'function' ? expected(original) === postern : expected.test(postern);
}

/** For people: one block a case. */
export function printUnlike(all: readonly Unlike[]): string {
  const blocks = Map.groupBy(all, ({ at }) => at);
  return [...blocks]
    .map(([at, unlike]) => {
      const lines = unlike.map(
        ({ facet, original, postern }) =>
          `    ${facet}\n      oauth2-proxy: ${indent(original)}\n      postern:      ${indent(postern)}`,
      );
      return `  ${at}\n${lines.join('\n')}`;
    })
    .join('\n');
}

function indent(text: string): string {
  return text.trimEnd().replaceAll('\n', '\n                    ');
}
