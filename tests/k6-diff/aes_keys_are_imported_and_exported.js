export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const { subtle } = crypto;

export default async function () {
  const raw = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  const key = await subtle.importKey('raw', raw, 'AES-GCM', true, ['encrypt', 'decrypt']);
  const jwk = await subtle.exportKey('jwk', key);
  console.log(jwk.kty, jwk.alg, jwk.k, jwk.ext, jwk.key_ops, Object.keys(jwk).sort());
  const again = await subtle.importKey('jwk', jwk, { name: 'AES-GCM' }, false, ['decrypt']);
  console.log(again.algorithm.length, again.extractable, again.usages);
  await attempt('kept', () => subtle.exportKey('raw', again));
  const load = (format, data, usages = ['encrypt']) => subtle.importKey(format, data, 'AES-CBC', true, usages).then((k) => k.type);
  await attempt('length', () => load('raw', raw.slice(1)));
  await attempt('no usages', () => load('raw', raw, []));
  await attempt('sign', () => load('raw', raw, ['sign']));
  for (const format of ['pkcs8', 'spki', 'bogus']) await attempt(format, () => load(format, raw));
  for (const data of ['text', 5, {}, null]) await attempt('data', () => load('raw', data));
  await attempt('kty', () => load('jwk', { kty: 'RSA', k: 'AAAA' }));
  await attempt('no k', () => load('jwk', { kty: 'oct' }));
  await attempt('no base64', () => load('jwk', { kty: 'oct', k: 'A!' }));
  await attempt('short', () => load('jwk', { kty: 'oct', k: 'AAAA' }));
  await attempt('other alg', () => load('jwk', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA', alg: 'A128GCM', key_ops: ['decrypt'] }));
  await attempt('format', () => subtle.exportKey('pkcs8', key));
  for (const what of [5, {}]) await attempt('no key', () => subtle.exportKey('raw', what));
}
