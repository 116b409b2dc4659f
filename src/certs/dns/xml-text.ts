/**
 * What Route 53's answers need of XML: the insides of elements by name, flat, without attributes that matter. No
 * entities but the five of XML and numbers, and never a document type, so that nothing can be expanded.
 */
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The insides of each `<name …>…</name>`, in order. Elements of one name do not nest here. */
export function elementsOf(xml: string, name: string): string[] {
  const found: string[] = [];
  let at = 0;
  while (at < xml.length) {
    const open = xml.indexOf(`<${name}`, at);
    if (open === -1) break;
    const start = xml.indexOf('>', open);
    const after = xml.charAt(open + name.length + 1);
    at = open + 1;
    if (start === -1 || (after !== '>' && after !== ' ')) continue;
    const close = xml.indexOf(`</${name}>`, start);
    if (close === -1) break;
    found.push(xml.slice(start + 1, close));
    at = close;
  }
  return found;
}

/** The text of the first such element; null where there is none. */
export function textOf(xml: string, name: string): string | null {
  const inner = elementsOf(xml, name)[0];
  return inner === undefined ? null : unescapeXml(inner.trim());
}

export function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}

function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,6})|#x([0-9a-fA-F]{1,5})|([a-z]{2,4}));/g, (whole, decimal, hex, name: string) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return code > 0x10_ff_ff ? whole : String.fromCodePoint(code);
  });
}
