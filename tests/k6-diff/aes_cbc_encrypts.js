export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;

export default async function () {
  const data = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const iv = new Uint8Array(16);
  for (const bytes of [16, 24, 32]) {
    const key = await subtle.importKey('raw', new Uint8Array(bytes), 'AES-CBC', true, ['encrypt', 'decrypt']);
    const sealed = await subtle.encrypt({ name: 'AES-CBC', iv }, key, data);
    console.log(hex(sealed), hex(await subtle.decrypt({ name: 'aes-cbc', iv }, key, sealed)));
    await attempt('padding', () => subtle.decrypt({ name: 'AES-CBC', iv }, key, new Uint8Array(16)));
  }
  const key = await subtle.importKey('raw', new Uint8Array(16), 'AES-CBC', true, ['encrypt']);
  await attempt('iv', () => subtle.encrypt({ name: 'AES-CBC', iv: new Uint8Array(12) }, key, data));
  await attempt('no iv', () => subtle.encrypt({ name: 'AES-CBC' }, key, data));
  await attempt('just a name', () => subtle.encrypt('AES-CBC', key, data));
  await attempt('another mode', () => subtle.encrypt({ name: 'AES-GCM', iv }, key, data));
  await attempt('usage', () => subtle.decrypt({ name: 'AES-CBC', iv }, key, data));
  await attempt('data', () => subtle.encrypt({ name: 'AES-CBC', iv }, key, 'text'));
  await attempt('no key', () => subtle.encrypt({ name: 'AES-CBC', iv }, {}, data));
  await attempt('null key', () => subtle.encrypt({ name: 'AES-CBC', iv }, null, data));
  await attempt('algorithm', () => subtle.encrypt(5, key, data));
  await attempt('unknown', () => subtle.encrypt({ name: 'Foo' }, key, data));
}
