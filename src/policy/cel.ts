/**
 * The expressions of `when:` rules, in CEL. A closed set of variables and functions, checked for type
 * and size when the document is loaded; no regular expressions, no nested loops, so that one evaluation
 * is bounded whatever a visitor sends. The engine is loaded only when a document has such a rule.
 * What an expression cannot know (nobody signed in, unknown address) is an error, never an empty value.
 */
import { createRequire } from 'node:module';
import type { ASTNode, Environment } from '@marcbachmann/cel-js';

/** What an expression may read. An absent one makes the expression fail where it is needed. */
export interface CelVariables {
  user?: {
    /** Left out, as the others may be: not known. */
    readonly name?: string;
    readonly email?: string;
    readonly groups?: readonly string[];
    readonly roles?: readonly string[];
    readonly provider: string;
  };
  service?: string;
  token?: string;
  ip?: string;
  method?: string;
  host?: string;
  path?: string;
}

export interface CelProgram {
  /** Variables, and fields of them: "user", "user.groups". */
  readonly reads: ReadonlySet<string>;
  /** The answer, or as text why there is none. Never throws. */
  readonly evaluate: (variables: CelVariables) => boolean | string;
}

export type CelCompilation =
  | { readonly kind: 'program'; readonly program: CelProgram }
  | { readonly kind: 'refused'; readonly reason: string };

const MOST_CHARACTERS = 2_000;
const MOST_GROUPS = 1_000;
const VARIABLES = ['user', 'service', 'token', 'ip', 'method', 'host', 'path'] as const;
const LOOPS: ReadonlySet<string> = new Set(['exists', 'exists_one', 'all', 'filter']);
const METHODS: ReadonlySet<string> = new Set([...LOOPS, 'startsWith', 'endsWith', 'contains', 'size']);
const FUNCTIONS: ReadonlySet<string> = new Set(['size']);

let environment: Environment | null = null;

/** Compiles an expression, or says why it is refused. */
export function compileCel(expression: string): CelCompilation {
  if (expression.length > MOST_CHARACTERS) {
    return {
      kind: 'refused',
      reason: `the expression has ${expression.length} characters, at most ${MOST_CHARACTERS} are allowed`,
    };
  }
  try {
    environment ??= createEnvironment();
    const parsed = environment.parse(expression);
    const check = parsed.check();
    if (!check.valid) return { kind: 'refused', reason: reasonOf(check.error) };
    if (check.type !== 'bool')
      return { kind: 'refused', reason: `the expression gives ${check.type ?? 'nothing'}, not true or false` };
    const reads = new Set<string>();
    const refusal = inspect(parsed.ast, reads, false);
    if (refusal !== null) return { kind: 'refused', reason: refusal };
    return { kind: 'program', program: { reads, evaluate: (variables) => evaluate(parsed, variables) } };
  } catch (error) {
    return { kind: 'refused', reason: reasonOf(error) };
  }
}

function evaluate(run: (context: CelVariables) => unknown, variables: CelVariables): boolean | string {
  const { groups = [], roles = [] } = variables.user ?? {};
  if (groups.length + roles.length > MOST_GROUPS) return `the user has more than ${MOST_GROUPS} groups and roles`;
  try {
    const answer = run(variables);
    return typeof answer === 'boolean' ? answer : 'the expression gave neither true nor false';
  } catch (error) {
    return reasonOf(error);
  }
}

function createEnvironment(): Environment {
  // Synchronous, so that documents without expressions pay nothing and those with them need no await.
  const cel = createRequire(import.meta.url)('@marcbachmann/cel-js') as typeof import('@marcbachmann/cel-js');
  const limits = { maxAstNodes: 200, maxDepth: 24, maxListElements: 100, maxMapEntries: 10, maxCallArguments: 4 };
  const created = new cel.Environment({ limits });
  const schema = { name: 'string', email: 'string', groups: 'list<string>', roles: 'list<string>', provider: 'string' };
  for (const name of VARIABLES) {
    if (name === 'user') created.registerVariable({ name, schema });
    else created.registerVariable(name, 'string');
  }
  return created;
}

/** Notes the variables that are read and answers why the expression is refused, or null. */
function inspect(node: ASTNode, reads: Set<string>, isInLoop: boolean): string | null {
  switch (node.op) {
    case 'id':
      reads.add(node.args);
      return null;
    case 'value':
      return null;
    case '.':
      if (isInLoop && (node.args[1] === 'groups' || node.args[1] === 'roles'))
        return `a loop may not look at "user.${node.args[1]}" again`;
      if (node.args[0].op === 'id') reads.add(`${node.args[0].args}.${node.args[1]}`);
      return inspect(node.args[0], reads, isInLoop);
    case 'call': {
      const [name, args] = node.args;
      if (!FUNCTIONS.has(name)) return `the function "${name}" is not available; there are: ${[...METHODS].join(', ')}`;
      return inspectAll(args, reads, isInLoop);
    }
    case 'rcall': {
      const [name, receiver, args] = node.args;
      if (!METHODS.has(name)) return `the function "${name}" is not available; there are: ${[...METHODS].join(', ')}`;
      if (isInLoop && LOOPS.has(name)) return `the loop "${name}" stands inside another loop`;
      return inspect(receiver, reads, isInLoop) ?? inspectAll(args, reads, isInLoop || LOOPS.has(name));
    }
    case '[]': {
      const [from, index] = node.args;
      if (from.op === 'id') reads.add(`${from.args}.${index.op === 'value' ? String(index.args) : 'groups'}`);
      return inspectAll(node.args, reads, isInLoop);
    }
    case 'list':
    case '?:':
    case '||':
    case '&&':
    case '==':
    case '!=':
    case 'in':
    case '+':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return inspectAll(node.args, reads, isInLoop);
    case '!_':
      return inspect(node.args, reads, isInLoop);
    default:
      return `the operator "${node.op}" is not available`;
  }
}

function inspectAll(nodes: readonly ASTNode[], reads: Set<string>, isInLoop: boolean): string | null {
  for (const node of nodes) {
    const refusal = inspect(node, reads, isInLoop);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** One line without the engine's drawing of the source. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the expression failed';
  const summary = 'summary' in error && typeof error.summary === 'string' ? error.summary : error.message;
  return (summary.split('\n', 1)[0] ?? '').slice(0, 200) || 'the expression failed';
}
