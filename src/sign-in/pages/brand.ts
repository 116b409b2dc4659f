/**
 * How the operator's name, logo and colour show on every page. One colour is given; what is needed of
 * it in light and dark is derived so that text on it and in it stays readable (WCAG 2.2, 1.4.3).
 */
import { hash } from 'node:crypto';
import { trusted, type Html } from './html.ts';

export interface Brand {
  readonly name: string;
  /** A `data:` URL of an image; null: Postern's door. */
  readonly logo: string | null;
  /** "#rrggbb"; null: Postern's green. */
  readonly color: string | null;
}

export const POSTERN_BRAND: Brand = { name: 'Postern', logo: null, color: null };

/** A `<style>` of its own and its source expression for the policy. */
export interface BrandStyle {
  readonly element: Html;
  readonly source: string;
}

type Rgb = readonly [red: number, green: number, blue: number];

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];
const LIGHT_CARD: Rgb = WHITE;
const DARK_CARD: Rgb = [0x1b, 0x20, 0x24];
/** A little over the 4.5 that is asked for: colours are rounded. */
const READABLE = 4.6;
const STEPS = 50;

let made: { readonly color: string; readonly style: BrandStyle } | null = null;

/** Null where the brand has no colour of its own. */
export function brandStyle({ color }: Brand): BrandStyle | null {
  if (color === null) return null;
  if (made?.color === color) return made.style;
  const css = brandCss(color);
  const style = { element: trusted(`<style>${css}</style>`), source: `'sha256-${hash('sha256', css, 'base64')}'` };
  made = { color, style };
  return style;
}

export function brandCss(color: string): string {
  const base = parseColor(color);
  const light = shades(base, BLACK, LIGHT_CARD, 0.08);
  const dark = shades(base, WHITE, DARK_CARD, 0.14);
  return `:root{${light}}\n@media (prefers-color-scheme:dark){:root{${dark}}}`;
}

/** The colour, moved towards `away` until it can be read on the card and on its own tint. */
function shades(base: Rgb, away: Rgb, card: Rgb, share: number): string {
  const tintOf = (one: Rgb): Rgb => mix(card, one, share);
  let accent = base;
  for (let step = 1; step <= STEPS && contrast(accent, tintOf(accent)) < READABLE; step++)
    accent = mix(base, away, step / STEPS);
  const hover = mix(accent, away, 0.18);
  const onAccent = contrast(WHITE, accent) >= contrast(BLACK, accent) ? WHITE : BLACK;
  return `--accent:${hex(accent)};--accent-hi:${hex(hover)};--on-accent:${hex(onAccent)};--tint:${hex(tintOf(accent))}`;
}

function parseColor(text: string): Rgb {
  const value = Number.parseInt(text.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const part = (index: 0 | 1 | 2): number => Math.round(from[index] + (to[index] - from[index]) * share);
  return [part(0), part(1), part(2)];
}

function hex(color: Rgb): string {
  return `#${color.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

/** WCAG 2.2: relative luminance and contrast ratio. */
export function contrast(one: Rgb, other: Rgb): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(color: Rgb): number {
  const linear = (part: number): number => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = color;
  return 0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
}
