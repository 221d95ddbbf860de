export const options = { iterations: 1 };
const uses = {
  mixed: () => 1n + 1,
  plus: () => +1n,
  maximum: () => Math.max(1n),
  zero: () => 1n / 0n,
  remainder: () => 1n % 0n,
  power: () => 2n ** -1n,
  shift: () => 1n >>> 0n,
  json: () => JSON.stringify({ a: 1n }),
  ofNothing: () => BigInt(undefined),
  ofNaN: () => BigInt(NaN),
  receiver: () => BigInt.prototype.toString.call(1),
  typed: () => new Uint8Array([1n]),
  group: () => new RegExp('a)'),
  open: () => new RegExp('(a'),
};
export default function () {
  for (const [name, use] of Object.entries(uses)) {
    try {
      console.log(name, String(use()));
    } catch (error) {
      console.log(name, error.name, error.message);
    }
  }
}
