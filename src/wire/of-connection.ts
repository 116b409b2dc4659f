/** Fields that say how this one connection carries the message; the codec writes its own. */
export function isOfConnection(key: string): boolean {
  switch (key.length) {
    case 7:
      return key === 'upgrade';
    case 10:
      return key === 'connection' || key === 'keep-alive';
    case 14:
      return key === 'content-length';
    case 16:
      return key === 'proxy-connection';
    case 17:
      return key === 'transfer-encoding';
    default:
      return false;
  }
}
