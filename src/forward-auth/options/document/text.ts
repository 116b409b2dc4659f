/** Words of a document: scalars in quotes, and what has no equal as comments. */

/** A YAML scalar that nothing is substituted in. */
export function scalar(text: string): string {
  return JSON.stringify(text.replaceAll('${', '$${')).replaceAll('\u2028', String.raw`\u2028`);
}

export function list(items: readonly string[]): string {
  return `[${items.map(scalar).join(', ')}]`;
}

/** One line, whatever an operator wrote. */
export function comment(text: string): string {
  return `# ${text.replaceAll(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]+/g, ' ')}`;
}

export interface Notes {
  readonly lines: readonly string[];
  /** `option` of the settings, and why it is not in the document or what stands for it. */
  readonly add: (option: string, text: string) => void;
}

export function createNotes(): Notes {
  const lines: string[] = [];
  return { lines, add: (option, text) => lines.push(comment(`${option}: ${text}`)) };
}
