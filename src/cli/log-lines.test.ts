import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { openLog } from './log-lines.ts';

/** More than any buffer on the way holds. */
const LINES = Array.from({ length: 20_000 }, (_, at) => `{"line":${at},"id":"${randomBytes(16).toString('hex')}"}`);
const TEXT = `${LINES.join('\n')}\n`;

async function read(t: TestContext, bytes: Buffer): Promise<{ lines: string[]; isCut: boolean }> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-log-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'log'), bytes);
  const log = openLog(join(dir, 'log'));
  const lines: string[] = [];
  for await (const line of log.lines) lines.push(line);
  return { lines, isCut: log.isCut() };
}

for (const [name, pack] of [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`openLog() gives every line of what ${name} packed`, async (t) => {
    assert.deepEqual(await read(t, pack(TEXT)), { lines: LINES, isCut: false });
  });

  test(`openLog() gives what is whole of what ${name} packed and is cut, and says so`, async (t) => {
    const packed = pack(TEXT);
    const { lines, isCut } = await read(t, packed.subarray(0, Math.floor(packed.length * 0.7)));
    assert.equal(isCut, true);
    assert.ok(lines.length > LINES.length / 2 && lines.length < LINES.length, `${lines.length} lines`);
    // The line in which it is cut may be half a line.
    const whole = lines.slice(0, -1);
    assert.deepEqual(whole, LINES.slice(0, whole.length));
  });
}

test('openLog() gives the whole files before one that is cut', async (t) => {
  const packed = gzipSync(TEXT);
  const { lines, isCut } = await read(t, Buffer.concat([packed, packed.subarray(0, 1_000)]));
  assert.deepEqual([lines.slice(0, LINES.length), isCut], [LINES, true]);
});

test('openLog() refuses what is packed and was changed, which proves nothing', async (t) => {
  const packed = gzipSync(TEXT);
  const at = packed.length - 6;
  packed.writeUInt8(packed.readUInt8(at) ^ 0xff, at);
  await assert.rejects(read(t, packed), /incorrect data check/);
});
