import { b64encode } from 'k6/encoding';
import { hexEncode, hmac, md5 } from 'k6/crypto';

export const options = { iterations: 1 };

export default function () {
  const values = { u8: new Uint8Array([250]), clamped: new Uint8ClampedArray([250]), i8: new Int8Array([-1]), u16: new Uint16Array([300]), f64: new Float64Array([1]), buffer: new Uint8Array([1]).buffer, view: new DataView(new ArrayBuffer(1)), symbol: Symbol('q'), bare: Symbol() };
  for (const [name, value] of Object.entries(values)) {
    for (const [what, call] of Object.entries({ b64: () => b64encode(value), hex: () => hexEncode(value), md5: () => md5(value, 'hex'), hmac: () => hmac('sha1', value, value, 'hex') })) {
      try {
        console.log(name, what, call());
      } catch (error) {
        console.log(name, what, error.message);
      }
    }
  }
}
