/** What a CA of the tests says of its resources (RFC 8555 section 7.1.1). */
export const DIRECTORY = {
  newNonce: 'https://ca.example/nonce',
  newAccount: 'https://ca.example/account',
  newOrder: 'https://ca.example/order',
  revokeCert: 'https://ca.example/revoke',
  keyChange: 'https://ca.example/key',
};
