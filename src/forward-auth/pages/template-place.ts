/**
 * Where in a page a value of a template would stand, by reading the operator's own text around it: in text, in a
 * quoted attribute, in a script. Places in which no escaping helps are refused: attributes without quotes, event
 * handlers, styles, names of elements.
 */
import { TemplateProblem } from './template-problem.ts';

/**
 * `url`: in an attribute that is an address; `query`: behind the "?" or "#" of one; `code`: in a script, as a string of
 * its own; `string`: inside of one.
 */
export type Place = 'text' | 'attribute' | 'url' | 'query' | 'code' | 'string';

export interface PlaceReader {
  /** Goes on over the operator's text, and gives it back. */
  readonly read: (text: string) => string;
  /** Where the next value stands. Throws where there is none that is safe. */
  readonly at: (line: number) => Place;
}

interface State {
  in: 'text' | 'comment' | 'tag' | 'value' | 'script' | 'style';
  /** Name of the element whose tag this is. */
  element: string;
  attribute: string;
  quote: string;
  /** The operator's text in this value has a "?" or "#". */
  isQuery: boolean;
  /** Of a string in a script. */
  scriptQuote: string;
}

export function createPlaceReader(): PlaceReader {
  const state: State = { in: 'text', element: '', attribute: '', quote: '', isQuery: false, scriptQuote: '' };
  return {
    read(text) {
      let at = 0;
      while (at < text.length) at = step(state, text, at);
      return text;
    },
    at(line) {
      if (state.in === 'text') return 'text';
      if (state.in === 'value' && !isCode(state)) return placeInValue(state);
      if (state.in === 'script') return state.scriptQuote === '' ? 'code' : 'string';
      throw new TemplateProblem(
        `line ${line}: a value stands in ${nameOf(state)}`,
        'put it into text, into an attribute in quotes, or into a script as a value',
      );
    },
  };
}

const ADDRESSES: ReadonlySet<string> = new Set(['href', 'src', 'action', 'formaction', 'data', 'poster', 'xlink:href']);

function placeInValue({ attribute, isQuery }: State): Place {
  if (!ADDRESSES.has(attribute)) return 'attribute';
  return isQuery ? 'query' : 'url';
}

function isCode({ attribute }: State): boolean {
  return attribute.startsWith('on') || attribute === 'style' || attribute === 'srcdoc' || attribute === 'srcset';
}

function nameOf(state: State): string {
  if (state.in === 'value') return `the attribute "${state.attribute}"`;
  return state.in === 'tag' ? 'a tag, outside of quotes' : `a ${state.in}`;
}

function step(state: State, text: string, at: number): number {
  switch (state.in) {
    case 'text':
      return inText(state, text, at);
    case 'comment':
      return until(state, text, at, /-->/g);
    case 'style':
      return until(state, text, at, /(?=<\/style)/gi);
    case 'script':
      return inScript(state, text, at);
    case 'tag':
      return inTag(state, text, at);
    default:
      return inValue(state, text, at);
  }
}

function inText(state: State, text: string, at: number): number {
  const open = /<(?:!--|\/?[A-Za-z][^\s/>]*)/g;
  open.lastIndex = at;
  const found = open.exec(text);
  if (found === null) return text.length;
  state.in = found[0] === '<!--' ? 'comment' : 'tag';
  state.element = found[0].slice(1).toLowerCase();
  state.attribute = '';
  return found.index + found[0].length;
}

/** Reads over everything up to the mark, then text goes on. */
function until(state: State, text: string, at: number, mark: RegExp): number {
  mark.lastIndex = at;
  const found = mark.exec(text);
  if (found === null) return text.length;
  state.in = 'text';
  return found.index + found[0].length;
}

function inTag(state: State, text: string, at: number): number {
  const part = /([^\s=>"'/]+)|=\s*(["']?)|([>"'])|[\s/]+/y;
  part.lastIndex = at;
  const [whole = ' ', name, quote, other] = part.exec(text) ?? [];
  if (name !== undefined) state.attribute = name.toLowerCase();
  else if (quote !== undefined && quote !== '') Object.assign(state, { in: 'value', quote, isQuery: false });
  else if (other === '>') {
    state.in = state.element === 'script' || state.element === 'style' ? state.element : 'text';
    state.scriptQuote = '';
  } else if (other !== undefined) Object.assign(state, { in: 'value', quote: other, isQuery: false });
  return at + whole.length;
}

function inValue(state: State, text: string, at: number): number {
  const end = text.indexOf(state.quote, at);
  // "&#38;" is no fragment.
  state.isQuery ||= /\?|(?<!&)#/.test(text.slice(at, end === -1 ? undefined : end));
  if (end === -1) return text.length;
  state.in = 'tag';
  return end + 1;
}

function inScript(state: State, text: string, at: number): number {
  const mark = /\\[^]|["'`]|\/\/[^\n]*|\/\*[^]*?\*\/|<\/script|\n/gi;
  mark.lastIndex = at;
  const found = mark.exec(text);
  if (found === null) return text.length;
  const [what] = found;
  if (/^<\/script/i.test(what)) {
    Object.assign(state, { in: 'tag', element: '/script', attribute: '' });
  } else if (state.scriptQuote === '') {
    if (/^["'`]$/.test(what)) state.scriptQuote = what;
  } else if (what === state.scriptQuote || (what === '\n' && state.scriptQuote !== '`')) state.scriptQuote = '';
  // Inside of a string, "//" is no comment: only its first character is passed.
  const isComment = /^\/[/*]/.test(what);
  return found.index + (isComment && state.scriptQuote !== '' ? 1 : what.length);
}
