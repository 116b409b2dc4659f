/** fast-check, with POSTERN_FUZZ_SEED for what has no seed of its own: see fixed-seed.mjs. */
import { configureGlobal } from 'fast-check';

configureGlobal({ seed: Math.trunc(Number(process.env.POSTERN_FUZZ_SEED)) || 0 });

export * from 'fast-check';
