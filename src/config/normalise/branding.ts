/** Reads `sign_in.name`, `.logo` and `.color`: how Postern's own pages look. The logo becomes a part of the pages. */
import type { Branding } from '../document.ts';
import type { SignInInput } from '../schema/people.ts';
import type { Context } from './context.ts';

const COLOR = /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i;
const LARGEST_LOGO = 65_536;
const LONGEST_NAME = 60;

export function readBranding(input: SignInInput | undefined, context: Context): Branding {
  return {
    name: readName(input?.name, context),
    logo: readLogo(input?.logo, context),
    color: readColor(input?.color, context),
  };
}

function readName(text: string | undefined, context: Context): string {
  if (text === undefined) return 'Postern';
  const name = text.trim();
  if (name !== '' && name.length <= LONGEST_NAME && !/\p{Cc}/u.test(name)) return name;
  context.report(['sign_in', 'name'], 'is no name for a page', `write 1 to ${LONGEST_NAME} characters on one line`);
  return 'Postern';
}

function readColor(text: string | undefined, context: Context): string | null {
  if (text === undefined) return null;
  if (!COLOR.test(text)) {
    context.report(['sign_in', 'color'], 'is no colour', 'write it in quotes with "#", such as "#23594b"');
    return null;
  }
  const color = text.toLowerCase();
  return color.length === 7 ? color : `#${color.slice(1).replaceAll(/./g, '$&$&')}`;
}

function readLogo(name: string | undefined, context: Context): string | null {
  if (name === undefined) return null;
  const at = ['sign_in', 'logo'];
  const bytes = context.readNamedBytes(name, at);
  if (bytes === null) return null;
  if (bytes.length > LARGEST_LOGO) {
    context.report(at, `is a file of ${bytes.length} bytes`, 'use an image of at most 64 KiB: every page carries it');
    return null;
  }
  const type = imageType(bytes);
  if (type === null) {
    context.report(at, 'is no image', 'use a PNG, JPEG, WebP, GIF or SVG file');
    return null;
  }
  return `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
}

/** By its first bytes, whatever its name says. In an `<img>` a browser runs no script of an SVG and loads nothing for it. */
function imageType(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (/^GIF8[79]a/.test(head)) return 'image/gif';
  if (/^RIFF.{4}WEBP/s.test(head)) return 'image/webp';
  const start = Buffer.from(bytes.subarray(0, 4_096))
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  return /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg[\s>]/.test(start)
    ? 'image/svg+xml'
    : null;
}
