/**
 * Reads a page as a visitor with poor sight, a small phone or a screen reader meets it, and says what is
 * wrong with it. Runs inside the page, so it may use nothing from outside its own body.
 */
export interface PageAudit {
  readonly problems: readonly string[];
  readonly heading: string;
}

export function auditPage(): PageAudit {
  const problems: string[] = [];
  const root = document.documentElement;
  const named = (element: Element): string =>
    `<${element.tagName.toLowerCase()}> "${(element.textContent ?? '').trim().slice(0, 30)}"`;
  const isShown = (element: Element): boolean => element.getClientRects().length > 0;

  const colorOf = (text: string): [number, number, number, number] => {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
    return [red, green, blue, alpha];
  };
  const luminance = (color: readonly number[]): number => {
    const [red = 0, green = 0, blue = 0] = color.map((one) => {
      const part = one / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (one: readonly number[], other: readonly number[]): number => {
    const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const groundOf = (element: Element | null): readonly number[] => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = colorOf(getComputedStyle(at).backgroundColor);
      if (color[3] === 1) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };

  if (root.scrollWidth > root.clientWidth)
    problems.push(`is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);
  for (const element of document.querySelectorAll('main *')) {
    const { left, right } = element.getBoundingClientRect();
    const scrolls = element.closest('.scroll') !== null;
    const isOutside = right > root.clientWidth + 0.5 || left < -0.5;
    if (isShown(element) && !scrolls && isOutside) problems.push(`${named(element)} is cut off`);
    const isSpilling = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline';
    if (isShown(element) && !scrolls && element.tagName !== 'INPUT' && element.clientWidth > 0 && isSpilling)
      problems.push(`${named(element)} spills over its edge`);
  }

  if (root.lang === '') problems.push('has no language');
  if (document.title.trim() === '') problems.push('has no title');
  const headings = document.querySelectorAll('h1');
  if (headings.length !== 1) problems.push(`has ${headings.length} main headings, wanted 1`);
  for (const input of document.querySelectorAll('input')) {
    if (input.type === 'hidden' || !isShown(input)) continue;
    if ((input.labels?.length ?? 0) === 0) problems.push(`input "${input.name}" has no label`);
    const border = colorOf(getComputedStyle(input).borderTopColor).slice(0, 3);
    if (ratio(border, groundOf(input.parentElement)) < 3) problems.push(`input "${input.name}" is hard to see`);
  }
  for (const control of document.querySelectorAll('button, a, summary, input:not([type=hidden])')) {
    const { height } = control.getBoundingClientRect();
    if (isShown(control) && height < 44) problems.push(`${named(control)} is ${height} px high, wanted 44 for a thumb`);
  }

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    if (element === null || (node.textContent ?? '').trim() === '' || !isShown(element)) continue;
    const style = getComputedStyle(element);
    const size = Number.parseFloat(style.fontSize);
    if (size < 12) problems.push(`${named(element)} is ${size} px small`);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = ratio(colorOf(style.color).slice(0, 3), groundOf(element));
    if (contrast < (isLarge ? 3 : 4.5)) problems.push(`${named(element)} has a contrast of ${contrast.toFixed(2)}`);
  }
  return { problems: [...new Set(problems)], heading: headings[0]?.textContent ?? '' };
}
