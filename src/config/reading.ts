/**
 * What reading a text gives: its value, or what is wrong with it. `wrong` completes a sentence that
 * begins with the place and the quoted text: `hosts."x".to "app:80a" is not …`.
 */
export type Reading<T> = { readonly ok: true; readonly value: T } | Fault;

export interface Fault {
  readonly ok: false;
  readonly wrong: string;
  readonly remedy: string | null;
}

export function read<T>(value: T): Reading<T> {
  return { ok: true, value };
}

export function fault(wrong: string, remedy: string | null = null): Fault {
  return { ok: false, wrong, remedy };
}
