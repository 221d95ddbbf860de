import { createHash, createHMAC, hexEncode, randomBytes } from 'k6/crypto';
export const options = { iterations: 1 };
export default function () {
  const hash = createHash('sha256');
  hash.update('a');
  console.log(hash.digest('hex'));
  hash.update(new Uint8Array([98, 99]).buffer);
  console.log(hash.digest('hex'), hash.digest('base64'));
  const keyed = createHMAC('sha512', 'key');
  keyed.update('x');
  console.log(keyed.digest('hex'), hexEncode('abc'), hexEncode(new Uint8Array([1, 255]).buffer));
  console.log(randomBytes(5).byteLength, randomBytes('4').byteLength, randomBytes(4.7).byteLength);
}
