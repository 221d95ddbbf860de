import crypto from 'k6/crypto';
export const options = { iterations: 1 };
const attempt = (name, f) => {
  try {
    console.log(name, f());
  } catch (e) {
    console.log(name, String(e), e.message);
  }
};
export default function () {
  for (const value of [5, 1.5, null, undefined, {}, [1], true, new DataView(new ArrayBuffer(3))]) {
    attempt('sha1', () => crypto.sha1(value, 'hex'));
    attempt('hmac', () => crypto.hmac('sha1', 'k', value, 'hex'));
    attempt('hexEncode', () => crypto.hexEncode(value));
  }
  attempt('no encoding', () => crypto.sha1('a'));
  attempt('encoding', () => crypto.sha1('a', 'nope'));
  attempt('algorithm', () => crypto.hmac('nope', 'k', 'd', 'hex'));
  attempt('key', () => crypto.hmac('sha1', null, 'd', 'hex'));
  attempt('update', () => crypto.createHash('md5').update(5));
  attempt('digest', () => crypto.createHash('md5').digest());
  for (const size of [0, -3, undefined, 'x', null]) attempt('randomBytes', () => crypto.randomBytes(size));
}
