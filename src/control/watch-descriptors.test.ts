import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import { watchDescriptors } from './watch-descriptors.ts';

test('watchDescriptors() says once that none are left, and once that there are again', () => {
  const lines: string[] = [];
  let isOut = false;
  const watch = watchDescriptors(
    {
      error: (_facts: object, text?: string) => void lines.push(text ?? ''),
      info: (_facts: object, text?: string) => void lines.push(text ?? ''),
    },
    (path) => {
      if (isOut) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
      return openSync(path, 'r');
    },
  );
  watch.look();
  isOut = true;
  watch.look();
  watch.look();
  isOut = false;
  watch.look();
  watch.close();
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /LimitNOFILE/);
  assert.match(lines[1] ?? '', /free again/);
});
