/** Starts the command line. Refuses a Node whose TLS and HTTP/2 fixes we rely on are missing. */
import { failWith } from './cli/terminal.ts';
import { createProgram } from './cli/program.ts';
import packageFile from '../package.json' with { type: 'json' };

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 21)) {
  process.stderr.write(
    `postern: Cannot start on Node ${process.versions.node}: 24.21 or later is needed; bin/postern brings it\n`,
  );
  process.exit(1);
}
await createProgram(packageFile.version).parseAsync().catch(failWith);
