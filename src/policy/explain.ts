/**
 * Prints how rules were judged, for people (`postern explain`) and as JSON. What it prints are names,
 * addresses and rules, in quotes where a visitor chose them: never a credential.
 */
import { assertNever } from '../core/assert-never.ts';
import type { Decision, RuleTrace } from './facts.ts';
import { describeStepUp } from './step-up.ts';

/** One line: `Allowed by "local:user:alice"`. */
export function describeDecision(decision: Decision): string {
  switch (decision.kind) {
    case 'allow':
      return `Allowed by "${printable(decision.rule)}"`;
    case 'deny':
      return `Denied by "${printable(decision.rule)}": ${printable(decision.reason)}`;
    case 'sign-in':
      if (decision.needs !== undefined)
        return `Asked for ${printable(describeStepUp(decision.needs))}: the rules let the person in`;
      return `Asked to sign in: "${printable(decision.rule)}" could let the visitor in`;
    case 'challenge':
      return `Asked for a machine's credentials: "${printable(decision.rule)}" could let the visitor in`;
    default:
      return assertNever(decision);
  }
}

/** A line for each rule, the parts of an `all` indented below it. The decisive rule is marked by ">". */
export function formatTraces(traces: readonly RuleTrace[]): string {
  if (traces.length === 0) return '  (no rules: nobody is let in)\n';
  return traces.map((trace) => formatTrace(trace, 0)).join('');
}

function formatTrace(trace: RuleTrace, level: number): string {
  const mark = trace.decisive ? '>' : ' ';
  const verdict = trace.matched ? 'matched' : 'not matched';
  const head = level === 0 ? `${trace.list.padEnd(trace.list === 'require' ? 7 : 5)} ` : '  - ';
  const line = `${mark} ${'    '.repeat(level)}${head}${printable(trace.rule)}: ${verdict}, ${printable(trace.reason)}${HELP[trace.couldHelp ?? 'none']}\n`;
  return line + trace.parts.map((part) => formatTrace(part, level + 1)).join('');
}

const HELP = {
  'sign-in': ' (signing in could help)',
  challenge: " (a machine's credentials could help)",
  none: '',
} as const;

/** The same as plain data, in one stable order of keys. */
export function tracesToJson(traces: readonly RuleTrace[]): unknown {
  return traces.map(({ list, rule, matched, reason, decisive, couldHelp, parts }) => {
    const own = { list, rule, matched, reason, decisive, couldHelp };
    return parts.length === 0 ? own : { ...own, parts: tracesToJson(parts) };
  });
}

/** Names come from providers and visitors: no control or direction characters reach a terminal. */
export function printable(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
