/**
 * Reads Caddy's data folder, such as ~/.local/share/caddy or /data/caddy: certificates/CA/NAME/NAME.{crt,key,json},
 * acme/CA/users/EMAIL/*.{json,key}. Certificates of Caddy's own internal CA are of no use elsewhere.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Gathering, UnusableEntry, type Found } from './found.ts';

const INTERNAL = 'local';

/** The folder itself, or the one in it that XDG_DATA_HOME has; null where neither is Caddy's. */
export function findCaddyFolder(path: string): string | null {
  return [path, join(path, 'caddy')].find((one) => existsSync(join(one, 'certificates'))) ?? null;
}

export function readCaddy(folder: string): Found {
  const found = new Gathering();
  /** Folder name of a CA -> its directory, as its certificates say. */
  const directories = new Map<string, string>();
  for (const ca of foldersIn(join(folder, 'certificates'))) {
    for (const name of foldersIn(join(folder, 'certificates', ca))) {
      const place = `certificates/${ca}/${name}`;
      found.try(place, () => {
        if (ca === INTERNAL) throw new UnusableEntry("it is of Caddy's internal CA: Postern's local CA issues its own");
        const at = join(folder, 'certificates', ca, name);
        const directory = directoryIn(readFileSync(join(at, `${name}.json`), 'utf8'));
        const chain = readFileSync(join(at, `${name}.crt`), 'utf8');
        found.certificates.push({ place, directory, chain, keyPem: readFileSync(join(at, `${name}.key`), 'utf8') });
        directories.set(ca, directory);
      });
    }
  }
  for (const [ca, directory] of directories) readAccount(folder, { ca, directory }, found);
  return found;
}

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => statSync(join(folder, name)).isDirectory())
    .toSorted();
}

function directoryIn(json: string): string {
  const { issuer_data: data } = JSON.parse(json) as { issuer_data?: { ca?: unknown } };
  if (typeof data?.ca === 'string' && URL.canParse(data.ca)) return data.ca;
  throw new UnusableEntry('its .json does not say what CA it is of ("issuer_data.ca")');
}

interface Place {
  readonly ca: string;
  readonly directory: string;
}

/** Of several the first: one account is enough. */
function readAccount(folder: string, { ca, directory }: Place, found: Gathering): void {
  const users = join(folder, 'acme', ca, 'users');
  const [user] = foldersIn(users);
  if (user === undefined) return;
  const place = `acme/${ca}/users/${user}`;
  found.try(place, () => {
    const files = readdirSync(join(users, user));
    const read = (ending: string): string => {
      const file = files.find((name) => name.endsWith(ending));
      if (file === undefined) throw new UnusableEntry(`its ${ending} file is missing`);
      return readFileSync(join(users, user, file), 'utf8');
    };
    const { location } = JSON.parse(read('.json')) as { location?: unknown };
    const url = typeof location === 'string' && location !== '' ? location : null;
    found.accounts.push({ place, directory, url, keyPem: read('.key') });
  });
}
