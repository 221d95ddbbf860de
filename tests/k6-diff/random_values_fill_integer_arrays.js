export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
export default async function () {
  for (const Kind of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array]) {
    const array = new Kind(64);
    console.log(Kind.name, crypto.getRandomValues(array).length, array.every((n) => n === 0));
  }
  for (const wrong of [new Float32Array(2), new Float64Array(2), new ArrayBuffer(4), 'x', 5]) {
    await attempt('wrong', () => crypto.getRandomValues(wrong));
  }
  await attempt('much', () => crypto.getRandomValues(new Uint8Array(65537)));
  await attempt('all', () => crypto.getRandomValues(new Uint8Array(65536)).length);
  console.log(new Uint32Array(crypto.getRandomValues(new Uint32Array(4))).length);
}
