import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { elementsOf, escapeXml, textOf } from './xml-text.ts';

test('elementsOf() finds elements by their whole name, with or without attributes', () => {
  const xml = '<r xmlns="x"><Zones><Zone><Id>1</Id></Zone><Zone a="b"><Id>2</Id></Zone></Zones></r>';
  assert.deepEqual(
    elementsOf(xml, 'Zone').map((one) => textOf(one, 'Id')),
    ['1', '2'],
  );
  assert.equal(textOf(xml, 'None'), null);
});

test('textOf() resolves the five entities and numbers, and leaves every other', () => {
  assert.equal(textOf('<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;&evil;&#x110000;</a>', 'a'), `<&>"'AB&evil;&#x110000;`);
});

test('textOf() gives back what escapeXml() was given', () => {
  fc.assert(fc.property(fc.string(), (text) => assert.equal(textOf(`<a>${escapeXml(text)}</a>`, 'a'), text.trim())));
});

test('elementsOf() never throws and never hangs, whatever the text', () => {
  const bits = fc.constantFrom('<', '>', '</', 'Zone', ' ', '&', '#', ';', 'a', '<Zone>', '</Zone>');
  fc.assert(fc.property(fc.array(bits, { maxLength: 200 }), (parts) => void elementsOf(parts.join(''), 'Zone')));
});
