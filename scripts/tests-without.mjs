/**
 * Which test files need a program that this machine may lack: those that start it, and those that import them, however
 * far. Certificates of kinds that Postern never issues are made by the `openssl` program, and so are many a test's.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';

export function isInstalled(program, path = process.env.PATH ?? '') {
  return path.split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/** Of the test files below these folders, those that can run without the program, and how many cannot. */
export function splitByNeed(program, root, folders) {
  const starts = new RegExp(`\\b(?:exec|spawn)\\w*\\(\\s*'${program}'`);
  const imports = /^(?:import|export)\b[^'"]*?from '(\.[^']+\.ts)'|^import '(\.[^']+\.ts)'/gm;
  const known = new Map();
  const look = (file) => {
    if (!known.has(file)) {
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      const all = [...text.matchAll(imports)].map(([, from, alone]) => resolve(dirname(file), from ?? alone));
      known.set(file, { isStarting: starts.test(text), all });
    }
    return known.get(file);
  };
  const needs = (file) => {
    // A Set hands out what is added meanwhile, too.
    const reached = new Set([file]);
    for (const one of reached) {
      const { isStarting, all } = look(one);
      if (isStarting) return true;
      for (const next of all) reached.add(next);
    }
    return false;
  };
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => join(folder, name)),
  );
  const able = files.filter((file) => !needs(join(root, file)));
  return { able, left: files.length - able.length };
}
