// flags: --no-summary
export const options = { iterations: 1 };

const list = Array.from({ length: 100000 }, (_, i) => i);
const bytes = new Uint8Array(100000).fill(65);
const count = (...all) => all.length;

export default function () {
  console.log(Math.max(...list), Math.max.apply(null, list), Math.min(...list));
  const out = [];
  out.push(...list);
  console.log(out.length, String.fromCharCode(...bytes).length, String.fromCodePoint.apply(null, bytes).length);
  console.log(count(...list), count.call(null, ...list, ...list), Reflect.construct(Array, list).length);
}
