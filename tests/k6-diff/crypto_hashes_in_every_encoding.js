import crypto from 'k6/crypto';
export const options = { iterations: 1 };
export default function () {
  const names = ['md4', 'md5', 'sha1', 'sha256', 'sha384', 'sha512', 'sha512_224', 'sha512_256', 'ripemd160'];
  for (const name of names) {
    for (const encoding of ['hex', 'base64', 'base64url', 'base64rawurl']) {
      console.log(name, encoding, crypto[name]('some text', encoding), crypto.hmac(name, 'key', 'ä', encoding));
    }
    console.log(new Uint8Array(crypto[name]('x', 'binary')).join());
  }
}
