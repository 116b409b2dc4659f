/**
 * Names that are nobody's on the public internet, so that no public CA certifies them: RFC 6761, RFC 6762,
 * RFC 8375 and ICANN's "internal".
 */
export const LOCAL_SUFFIXES: readonly string[] = ['localhost', 'test', 'internal', 'home.arpa', 'local'];
