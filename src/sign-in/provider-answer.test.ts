import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProviderAnswer } from './provider-answer.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

test('ProviderAnswer reads as a Response of the same bytes does, as often as one likes', async () => {
  for (const text of ['{"a":[1,"é"]}', '\u{feff}{"a":1}', '', 'no JSON', '{"a":"\ud83d\ude00"}']) {
    const bytes = Buffer.from(text);
    const plain = (): Response => new Response(bytes, { status: 201, headers: JSON_TYPE });
    const answer = new ProviderAnswer(bytes, 201, new Headers(JSON_TYPE));
    for (let times = 0; times < 2; times++) {
      assert.equal(answer.read, await plain().text());
      assert.equal(await answer.text(), await plain().text());
      assert.deepEqual(
        await answer.json().catch((error: unknown) => (error as Error).name),
        await plain()
          .json()
          .catch((error: unknown) => (error as Error).name),
      );
      assert.deepEqual(await answer.bytes(), await plain().bytes());
      assert.deepEqual(await answer.arrayBuffer(), await plain().arrayBuffer());
      assert.equal((await answer.blob()).type, (await plain().blob()).type);
      assert.equal(answer.bodyUsed, false);
    }
    assert.deepEqual([answer.status, answer.ok, answer.headers.get('content-type')], [201, true, 'application/json']);
    assert.equal(await answer.clone().text(), answer.read);
  }
  assert.equal(new ProviderAnswer(Buffer.of(0x22, 0xff, 0x22), 200, new Headers()).read, '"\u{fffd}"');
  assert.ok(new ProviderAnswer(Buffer.alloc(0), 200, new Headers()) instanceof Response);
});

test('ProviderAnswer of a status that has no body says nothing', async () => {
  for (const status of [204, 205, 304])
    assert.equal(await new ProviderAnswer(Buffer.from('x'), status, new Headers()).text(), '');
});
