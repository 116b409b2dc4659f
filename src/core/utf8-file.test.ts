import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readUtf8File } from './utf8-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'postern-utf8-'));
after(() => rmSync(dir, { recursive: true, force: true }));

function read(bytes: Buffer | string): string {
  const path = join(dir, 'text');
  writeFileSync(path, bytes);
  return readUtf8File(path);
}

test('readUtf8File() gives back whatever is UTF-8', () => {
  for (const text of ['', 'a', 'é\n한국어\u{1F6AA}', '\uFEFFversion: 1\r\n', '\uFFFD']) assert.equal(read(text), text);
});

test('readUtf8File() names the first byte that is not UTF-8', () => {
  const bad: readonly (readonly [bytes: readonly number[], place: RegExp])[] = [
    [[0xe9], /^line 1, column 1: byte 0xe9 is not UTF-8; save the file as UTF-8$/],
    [[...Buffer.from('a: é\nb: "'), 0xff, 0x22], /^line 2, column 5: byte 0xff /],
    [[0x61, 0x0a, 0xe2, 0x82], /^line 2, column 1: byte 0xe2 /],
    [[0xc0, 0xaf], /^line 1, column 1: byte 0xc0 /],
    [[0xff, 0xfe, 0x76, 0x00], /^line 1, column 1: it is UTF-16; /],
    [[0xfe, 0xff, 0x00, 0x76], /^line 1, column 1: it is UTF-16; /],
    // The replacement character itself stands before it.
    [[0xef, 0xbf, 0xbd, 0x80], /^line 1, column 2: byte 0x80 /],
  ];
  for (const [bytes, message] of bad)
    assert.throws(() => read(Buffer.from(bytes)), { code: 'NOT_UTF8', message }, String(message));
  assert.throws(() => readUtf8File(join(dir, 'none')), { code: 'ENOENT' });
});
