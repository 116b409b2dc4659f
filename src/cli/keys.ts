/** `postern keys …`: what Postern signs assertions with. */
import { askControl } from '../control/control-socket.ts';
import { print } from './terminal.ts';

export async function rotateKeys(dataDir: string): Promise<void> {
  const { kid } = (await askControl(dataDir, 'keys.rotate', {})) as { kid: string };
  print(
    `Assertions are signed with the new key "${kid}"; the old ones stop counting when apps read /.postern/jwks.json again`,
  );
}
