import { TOTP } from 'https://jslib.k6.io/totp/1.0.0/index.js';

export const options = { iterations: 1 };

export default async function () {
  const totp = new TOTP('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', 8);
  const code = await totp.gen();
  console.log(code.length, /^\d+$/.test(code), await totp.verify(code), await totp.verify('x'));
}
