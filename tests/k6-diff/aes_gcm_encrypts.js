export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;

export default async function () {
  const key = await subtle.importKey('raw', new Uint8Array(16), 'AES-GCM', true, ['encrypt', 'decrypt']);
  const iv = new Uint8Array(12);
  const data = new Uint8Array([1, 2, 3, 4, 5]);
  for (const tagLength of [undefined, 96, 104, 112, 120, 128]) {
    for (const additionalData of [undefined, new Uint8Array([9, 9])]) {
      const algorithm = { name: 'AES-GCM', iv, tagLength, additionalData };
      const sealed = await subtle.encrypt(algorithm, key, data);
      console.log(tagLength, hex(sealed), hex(await subtle.decrypt(algorithm, key, sealed)));
      const broken = new Uint8Array(sealed);
      broken[broken.length - 1] ^= 1;
      await attempt('broken', () => subtle.decrypt(algorithm, key, broken));
    }
  }
  const seal = (algorithm) => subtle.encrypt({ name: 'AES-GCM', iv, ...algorithm }, key, data).then(hex);
  for (const tagLength of [32, 64, 33, 0]) await attempt('tag', () => seal({ tagLength }));
  await attempt('iv', () => seal({ iv: new Uint8Array(16) }));
  await attempt('no iv', () => seal({ iv: undefined }));
  await attempt('short', () => subtle.decrypt({ name: 'AES-GCM', iv }, key, data));
}
