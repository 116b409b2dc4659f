/**
 * Loaded before each test. Where POSTERN_FUZZ_SEED is set, as it is on CI, fast-check begins with it, too: what a
 * commit is tried with depends on the commit alone, and a failure can be had again.
 */
import { registerHooks } from 'node:module';

const SEEDED = new URL('seeded-fast-check.mjs', import.meta.url).href;

if (process.env.POSTERN_FUZZ_SEED !== undefined)
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier !== 'fast-check' || context.parentURL === SEEDED) return next(specifier, context);
      return { url: SEEDED, format: 'module', shortCircuit: true };
    },
  });
