export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;

export default async function () {
  const key = await subtle.importKey('raw', new Uint8Array(16), 'AES-CTR', true, ['encrypt', 'decrypt']);
  const run = async (counter, length, data) => hex(await subtle.encrypt({ name: 'AES-CTR', counter, length }, key, data));
  const zero = new Uint8Array(16);
  const full = new Uint8Array(16).fill(255);
  console.log(await run(zero, 64, new Uint8Array([1, 2, 3])), await run(zero, 64, new Uint8Array(0)));
  console.log(await run(full, 8, new Uint8Array(40)), await run(full, 128, new Uint8Array(40)));
  const sealed = await subtle.encrypt({ name: 'AES-CTR', counter: full, length: 64 }, key, new Uint8Array([7, 8]));
  console.log(hex(await subtle.decrypt({ name: 'AES-CTR', counter: full, length: 64 }, key, sealed)));
  await attempt('counter', () => run(new Uint8Array(12), 64, zero));
  await attempt('no counter', () => run(undefined, 64, zero));
  for (const length of [0, 129, undefined]) await attempt('length', () => run(zero, length, zero));
}
