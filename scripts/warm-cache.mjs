/** Loads what `postern run` loads, once, so that Node's compile cache is filled before the first start. */
await import('../src/control/gateway.ts');
await import('../src/cli/run.ts');
// It refuses to run outside of a thread of its own, after its imports are there.
await import('../src/edge/worker.ts').catch(() => undefined);
process.exit(0);
