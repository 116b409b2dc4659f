/** Pages and logs. */
import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { loadTemplates, readIfThere } from '../pages/custom-pages.ts';
import { unreadable } from './build-secret.ts';
import type { BuildContext } from './context.ts';
import type { LoggingSettings, PageSettings } from '../settings.ts';
import type { Told } from './told.ts';

export function buildPages({ told }: BuildContext): PageSettings {
  const showsDebug = told.bool('show_debug_on_error');
  if (showsDebug)
    told.warn('show_debug_on_error', 'shows visitors what went wrong inside', 'take it out once the fault is found');
  return {
    templatesFolder: templatesFolder(told),
    logo: logoOf(told),
    banner: told.text('banner'),
    footer: told.text('footer'),
    showsDebug,
  };
}

function templatesFolder(told: Told): string | null {
  const folder = told.text('custom_templates_dir');
  if (folder === null) return null;
  try {
    readdirSync(folder);
  } catch (error) {
    const what = (error as NodeJS.ErrnoException).code === 'ENOTDIR' ? 'is no folder' : unreadable(error);
    told.fault('custom_templates_dir', `is ${told.quoted('custom_templates_dir')}, which ${what}`, 'give a folder');
    return folder;
  }
  const missing = new Set<string>();
  const loaded = loadTemplates(folder, (path) => {
    const text = readIfThere(path);
    for (const [, name = ''] of (text ?? '').matchAll(STATIC_FILE)) missing.add(name);
    return text;
  });
  if (loaded.kind === 'problem')
    told.fault('custom_templates_dir', `has a page that does not work: ${loaded.message}`, loaded.remedy);
  for (const name of missing) {
    const what = `has a page that takes "static/${name}" from below the prefix, which is not there: oauth2-proxy keeps it for its own pages`;
    told.warn('custom_templates_dir', what, STYLE_REMEDY);
  }
  return folder;
}

/** What a page takes from below the prefix, but for the sheet that is there. */
const STATIC_FILE = /(?:\{\{-?\s*\.ProxyPrefix\s*-?\}\}|\/oauth2)\/static\/(?!postern\.css\b)([\w./-]+)/g;
const STYLE_REMEDY =
  'write the style into the page, link a sheet of yours by its URL, or "{{.ProxyPrefix}}/static/postern.css"';

function logoOf(told: Told): string | null {
  const logo = told.text('custom_sign_in_logo');
  if (logo === null || logo === '-' || /^https?:\/\//.test(logo)) return logo;
  const key = 'custom_sign_in_logo';
  if (!/\.(?:svg|png|jpe?g)$/i.test(logo)) {
    told.fault(key, `is ${told.quoted(key)}, no picture that is known`, 'give a .svg, .png or .jpg, a URL, or "-"');
    return logo;
  }
  try {
    statSync(logo);
  } catch (error) {
    told.fault(key, `is ${told.quoted(key)}, which ${unreadable(error)}`, 'check the path');
  }
  return logo;
}

export function buildLogging({ told }: BuildContext): LoggingSettings {
  return {
    auth: told.bool('auth_logging'),
    requests: told.bool('request_logging'),
    standard: told.bool('standard_logging'),
    excludedPaths: told.list('exclude_logging_paths').filter((path) => path !== ''),
    silencesPing: told.bool('silence_ping_logging'),
    isUtc: !told.bool('logging_local_time'),
    file: logFile(told),
    authFormat: told.text('auth_logging_format'),
    requestFormat: told.text('request_logging_format'),
    standardFormat: told.text('standard_logging_format'),
  };
}

function logFile(told: Told): LoggingSettings['file'] {
  const path = told.text('logging_filename');
  if (path === null) return null;
  try {
    if (!statSync(dirname(path)).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  } catch {
    const message = `is ${told.quoted('logging_filename')}, whose folder does not exist`;
    told.fault('logging_filename', message, 'make the folder, or take it out to log to standard output');
  }
  return {
    path,
    maxMegabytes: Math.max(1, told.number('logging_max_size')),
    maxDays: Math.max(0, told.number('logging_max_age')),
    backups: Math.max(0, told.number('logging_max_backups')),
  };
}
