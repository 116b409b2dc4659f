/**
 * Sockets whose path has a value of whoever comes, such as /run/ide/{user.name}/code.sock. What is below the folder
 * that the document names may be that person's own, and a link there would lead to whatever the gateway may open: to
 * another's app, to Docker, to the gateway itself. So what is opened has to be what its path says.
 */
import { closeSync, existsSync, fstatSync, openSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { connect, Socket } from 'node:net';
import type { IpcNetConnectOpts } from 'node:net';
import { join } from 'node:path';

/** Of Linux: names what is there without opening it. Node has no name for it. */
const O_PATH = 0o10_000_000;
const OPEN_FILES = '/proc/self/fd';

/** As `connect` of node:net. `folder`: of the path, as far as it is the document's. */
export function connectOwn(options: IpcNetConnectOpts, folder: string): Socket {
  const { path } = options;
  let file: number | null = null;
  try {
    const own = join(realpathSync(folder), path.slice(folder.length));
    if (process.platform !== 'linux' || !existsSync(OPEN_FILES)) {
      refuseOther(own, realpathSync(path), statSync(path));
      return connect(options);
    }
    file = openSync(path, O_PATH);
    // What is named so stays what it is, whatever comes in the place of the path meanwhile.
    const open = `${OPEN_FILES}/${file}`;
    refuseOther(own, readlinkSync(open), fstatSync(file));
    return connect({ ...options, path: open });
  } catch (error) {
    return new Socket().destroy(error as Error);
  } finally {
    // The connection was begun by now, and needs the name no more.
    if (file !== null) closeSync(file);
  }
}

/** The document's part of a path with values of users: up to the last "/" before the first of them. */
export function folderOf(template: string): string {
  const [fixed = ''] = template.split('{', 1);
  return fixed.slice(0, fixed.lastIndexOf('/') + 1);
}

function refuseOther(own: string, found: string, { nlink }: Stats): void {
  // A hard link has the name that it is opened by; whether others may make one is a setting of the machine.
  if (found === own && nlink === 1) return;
  const what = found === own ? 'it has another name' : `a link leads from there to "${found}"`;
  const error = new Error(`${what}, so it may be another's: have the app listen there`);
  throw Object.assign(error, { code: 'ELOOP' });
}
