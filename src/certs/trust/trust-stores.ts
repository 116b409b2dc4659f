/**
 * Where programs of a machine keep the roots that they trust, and how one is put there and taken out again:
 * always by the system's own tool, never by writing its databases. Knows places and commands; runs nothing.
 */
import { join } from 'node:path';

/** What this room needs to know of the machine. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly hasCommand: (name: string) => boolean;
  readonly exists: (path: string) => boolean;
  /** Names in a folder; empty where it cannot be read. */
  readonly list: (folder: string) => readonly string[];
}

export interface TrustStore {
  /** As people call it: "Debian's and Ubuntu's store". */
  readonly label: string;
  /** Who is served by it. */
  readonly serves: string;
  readonly needsRoot: boolean;
  /** Where the certificate has to lie before the commands run; null: they read it from `file`. */
  readonly place: ((id: string) => string) | null;
  readonly add: (root: RootFile) => readonly (readonly string[])[];
  readonly remove: (root: RootFile) => readonly (readonly string[])[];
}

export interface RootFile {
  /** Hexadecimal, of the fingerprint: tells one root from another. */
  readonly id: string;
  readonly commonName: string;
  /** Where the PEM lies: `place`, or a file that goes away afterwards. */
  readonly file: string;
}

/** The stores of this machine that its tools can write, the system's first. */
export function findTrustStores(machine: Machine): readonly TrustStore[] {
  const stores = machine.platform === 'darwin' ? macStores(machine) : linuxStores(machine);
  return [...stores, ...nssStores(machine)];
}

function linuxStores({ exists, hasCommand }: Machine): TrustStore[] {
  const found: TrustStore[] = [];
  if (hasCommand('update-ca-certificates')) {
    // Debian and Alpine; openSUSE has the same command and another folder.
    const folder = exists('/usr/local/share/ca-certificates')
      ? '/usr/local/share/ca-certificates'
      : '/etc/pki/trust/anchors';
    const update = ['update-ca-certificates'];
    found.push(folderStore(folder, { ending: 'crt', add: update, remove: [...update, '--fresh'] }));
  } else if (hasCommand('update-ca-trust') && exists('/etc/pki/ca-trust/source/anchors')) {
    const update = ['update-ca-trust', 'extract'];
    found.push(folderStore('/etc/pki/ca-trust/source/anchors', { ending: 'pem', add: update, remove: update }));
  } else if (hasCommand('trust')) {
    found.push({
      ...SYSTEM,
      place: null,
      add: ({ file }) => [['trust', 'anchor', '--store', file]],
      remove: ({ file }) => [['trust', 'anchor', '--remove', file]],
    });
  }
  return found;
}

const SYSTEM = {
  label: "the system's store",
  serves: 'curl, git, wget, Python, Go and most other programs',
  needsRoot: true,
};

function folderStore(
  folder: string,
  {
    ending,
    add,
    remove,
  }: { readonly ending: string; readonly add: readonly string[]; readonly remove: readonly string[] },
): TrustStore {
  return {
    ...SYSTEM,
    place: (id) => join(folder, `postern-${id}.${ending}`),
    add: () => [add],
    remove: () => [remove],
  };
}

function macStores({ hasCommand }: Machine): TrustStore[] {
  if (!hasCommand('security')) return [];
  const keychain = '/Library/Keychains/System.keychain';
  return [
    {
      label: 'the system keychain',
      serves: 'Safari, Chrome, curl and most other programs',
      needsRoot: true,
      place: null,
      add: ({ file }) => [['security', 'add-trusted-cert', '-d', '-r', 'trustRoot', '-k', keychain, file]],
      remove: ({ file }) => [['security', 'remove-trusted-cert', '-d', file]],
    },
  ];
}

/** Databases of NSS: Chrome and Chromium on Linux share one a user, Firefox has one a profile. */
function nssStores(machine: Machine): TrustStore[] {
  if (!machine.hasCommand('certutil')) return [];
  return nssFolders(machine).map(({ folder, serves }) => ({
    label: `"${folder}"`,
    serves,
    needsRoot: false,
    place: null,
    add: ({ file, commonName }) => [
      ['certutil', '-A', '-d', `sql:${folder}`, '-t', 'C,,', '-n', commonName, '-i', file],
    ],
    remove: ({ commonName }) => [['certutil', '-D', '-d', `sql:${folder}`, '-n', commonName]],
  }));
}

function nssFolders({ platform, home, exists, list }: Machine): { folder: string; serves: string }[] {
  const found: { folder: string; serves: string }[] = [];
  const shared = join(home, '.pki', 'nssdb');
  if (platform !== 'darwin' && exists(join(shared, 'cert9.db')))
    found.push({ folder: shared, serves: 'Chrome and Chromium' });
  const profiles =
    platform === 'darwin'
      ? ['Library/Application Support/Firefox/Profiles']
      : ['.mozilla/firefox', 'snap/firefox/common/.mozilla/firefox', '.var/app/org.mozilla.firefox/.mozilla/firefox'];
  for (const place of profiles) {
    for (const name of list(join(home, place))) {
      const folder = join(home, place, name);
      if (exists(join(folder, 'cert9.db'))) found.push({ folder, serves: 'Firefox' });
    }
  }
  return found;
}
