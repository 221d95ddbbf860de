export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;

export default async function () {
  const data = new Uint8Array([1, 2, 3, 4]);
  for (const name of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512', 'sha-256']) {
    console.log(name, hex(await subtle.digest(name, data)), hex(await subtle.digest({ name }, data.buffer)));
  }
  console.log(hex(await subtle.digest('SHA-1', new Uint8Array(0))));
  for (const name of ['MD5', 'SHA-224', {}, 5]) await attempt(String(name), () => subtle.digest(name, data));
  for (const wrong of ['text', 5, {}]) await attempt('data', () => subtle.digest('SHA-256', wrong));
}
