export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const { subtle } = crypto;

export default async function () {
  for (const name of ['AES-CBC', 'AES-CTR', 'AES-GCM', 'aes-gcm']) {
    for (const length of [128, 192, 256]) {
      const key = await subtle.generateKey({ name, length }, true, ['encrypt', 'decrypt']);
      const raw = await subtle.exportKey('raw', key);
      console.log(key.type, key.extractable, key.algorithm.name, key.algorithm.length, key.usages, raw.byteLength);
    }
  }
  const make = (algorithm, usages) => subtle.generateKey(algorithm, true, usages).then((key) => key.usages);
  await attempt('length', () => make({ name: 'AES-CBC', length: 100 }, ['encrypt']));
  await attempt('no length', () => make({ name: 'AES-CBC' }, ['encrypt']));
  await attempt('just a name', () => make('AES-CBC', ['encrypt']));
  await attempt('no usages', () => make({ name: 'AES-CBC', length: 128 }, []));
  await attempt('undefined usages', () => make({ name: 'AES-CBC', length: 128 }));
  await attempt('usages', () => make({ name: 'AES-CBC', length: 128 }, 'encrypt'));
  await attempt('sign', () => make({ name: 'AES-CBC', length: 128 }, ['sign']));
  await attempt('wrap', () => make({ name: 'AES-CBC', length: 128 }, ['wrapKey', 'unwrapKey']));
  await attempt('KW', () => make({ name: 'AES-KW', length: 128 }, ['wrapKey']));
  await attempt('other', () => make({ name: 'Foo', length: 128 }, ['encrypt']));
}
