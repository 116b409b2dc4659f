export function isInstalled(program: string, path?: string): boolean;
export function splitByNeed(
  program: string,
  root: string,
  folders: readonly string[],
): { readonly able: string[]; readonly left: number };
