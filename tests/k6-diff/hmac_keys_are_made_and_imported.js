export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const { subtle } = crypto;

export default async function () {
  for (const algorithm of [{ hash: 'SHA-1' }, { hash: 'SHA-256' }, { hash: 'SHA-384' }, { hash: { name: 'SHA-512' } }, { hash: 'SHA-256', length: 128 }]) {
    const key = await subtle.generateKey({ name: 'HMAC', ...algorithm }, true, ['sign', 'verify']);
    const jwk = await subtle.exportKey('jwk', key);
    console.log(key.type, key.algorithm.length, key.algorithm.hash.name, jwk.alg, jwk.k.length, jwk.kty, jwk.ext, jwk.key_ops);
  }
  const make = (algorithm, usages = ['sign']) => subtle.generateKey({ name: 'HMAC', ...algorithm }, true, usages).then((key) => key.type);
  await attempt('length', () => make({ hash: 'SHA-256', length: 0 }));
  await attempt('MD5', () => make({ hash: 'MD5' }));
  await attempt('no hash', () => make({}));
  await attempt('no usages', () => make({ hash: 'SHA-256' }, []));
  await attempt('encrypt', () => make({ hash: 'SHA-256' }, ['encrypt']));
  const load = (algorithm, data = new Uint8Array(7), usages = ['sign']) => subtle.importKey('raw', data, algorithm, true, usages).then((key) => key.algorithm.length);
  await attempt('import', () => load({ name: 'HMAC', hash: 'SHA-256' }));
  await attempt('empty', () => load({ name: 'HMAC', hash: 'SHA-256' }, new Uint8Array(0)));
  await attempt('length', () => load({ name: 'HMAC', hash: 'SHA-256', length: 50 }));
  await attempt('name', () => load('HMAC'));
  await attempt('MD5', () => load({ name: 'HMAC', hash: 'MD5' }));
  await attempt('encrypt', () => load({ name: 'HMAC', hash: 'SHA-1' }, undefined, ['encrypt']));
  await attempt('no usages', () => load({ name: 'HMAC', hash: 'SHA-1' }, undefined, []));
  await attempt('jwk', async () => (await subtle.importKey('jwk', { kty: 'oct', k: 'AAAA' }, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign'])).algorithm.length);
}
