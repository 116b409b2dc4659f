/** A real Postern and a pebble behind a proxy that spoils its answers. */
import assert from 'node:assert/strict';
import { skipWithout } from '../../support/peers.ts';
import { startFaultyProxy, type Asked, type Fault, type FaultyProxy } from '../../support/faulty-proxy.ts';
import { openAcmeRig, type AcmeRig, type AcmeRigOptions } from './rig.ts';

export const skip: string | false = skipWithout('pebble', 'pebble-challtestsrv');
export const NAME = 'a.example.com';
export const HOST: string = `  ${NAME}: { respond: { status: 200, body: hello }, allow: [public] }`;

export interface World {
  readonly rig: AcmeRig;
  readonly proxy: FaultyProxy;
  /** Roots of what pebble issues. */
  readonly ca: string;
  readonly renew: () => Promise<{ code: number; stdout: string; stderr: string }>;
}

export type Faults = (asked: Asked) => Fault | null;

/** `faults`: what goes wrong from the start. */
export async function withProxy(
  faults: Faults,
  run: (world: World) => Promise<void>,
  more: Partial<AcmeRigOptions> = {},
): Promise<void> {
  let proxy: FaultyProxy | null = null;
  const rig = await openAcmeRig({
    hosts: HOST,
    ...more,
    pebble: { env: { PEBBLE_WFE_NONCEREJECT: '15', PEBBLE_VA_NOSLEEP: '1' }, ...more.pebble },
    async directory(pebble) {
      proxy = await startFaultyProxy(pebble.directory, pebble.apiPem);
      proxy.fault = faults;
      return `https://${proxy.host}/dir`;
    },
  }).catch(async (error: unknown) => {
    // Open, it would keep the run from its end.
    await proxy?.stop();
    throw error;
  });
  assert.ok(proxy !== null);
  try {
    const renew = (): ReturnType<typeof rig.postern.cli> => rig.postern.cli('cert', 'renew', NAME);
    await run({ rig, proxy, renew, ca: await rig.pebble.issuerPem() });
  } catch (error) {
    console.error(rig.postern.output());
    throw error;
  } finally {
    await rig.close();
    await (proxy as FaultyProxy).stop();
  }
}

/** The first requests of each kind, so many, have the fault. */
export function first(count: number, kindOf: (asked: Asked) => string | null, fault: Fault): Faults {
  const seen = new Map<string, number>();
  return (asked) => {
    const kind = kindOf(asked);
    if (kind === null) return null;
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return before < count ? fault : null;
  };
}

export const everyKind = ({ path }: Asked): string => path.split('/')[1] ?? '';
export const only =
  (kind: string) =>
  ({ path }: Asked): string | null =>
    path.startsWith(`/${kind}`) ? kind : null;

export const problem = (type: string, detail: string, more: object = {}): string =>
  JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail, ...more });
export const html = '<html><head><title>Oops</title></head><body><h1>502 Bad\u001b[31m Gateway</h1></body></html>';
/** From now on, at one path. */
export const says = (path: string, status: number, body: string, headers: Record<string, string> = {}): Faults =>
  first(9_999, only(path), { kind: 'answer', answer: { status, body, headers } });
