export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;

export default async function () {
  const data = new Uint8Array([1, 2, 3]);
  for (const hash of ['SHA-1', 'SHA-256', { name: 'SHA-384' }, { name: 'sha-512' }]) {
    const key = await subtle.importKey('raw', new Uint8Array([7, 7, 7]), { name: 'HMAC', hash }, true, ['sign', 'verify']);
    const signature = await subtle.sign('HMAC', key, data);
    console.log(key.algorithm.hash.name, key.algorithm.length, hex(signature));
    console.log(await subtle.verify({ name: 'hmac' }, key, signature, data), await subtle.verify('HMAC', key, signature, new Uint8Array(3)));
    console.log(await subtle.verify('HMAC', key, signature.slice(1), data));
  }
  const load = (usages) => subtle.importKey('raw', new Uint8Array(3), { name: 'HMAC', hash: 'SHA-256' }, true, usages);
  const signer = await load(['sign']);
  const verifier = await load(['verify']);
  await attempt('sign', () => subtle.sign('HMAC', verifier, data));
  await attempt('verify', () => subtle.verify('HMAC', signer, data, data));
  await attempt('data', () => subtle.sign('HMAC', signer, 'text'));
  await attempt('no data', () => subtle.sign('HMAC', signer));
  await attempt('signature', () => subtle.verify('HMAC', verifier, 'text', data));
  await attempt('no key', () => subtle.sign('HMAC', {}, data));
  await attempt('null key', () => subtle.sign('HMAC', null, data));
  await attempt('null key', () => subtle.verify('HMAC', null, data, data));
  await attempt('other', () => subtle.sign('Foo', signer, data));
  await attempt('no hash', () => subtle.sign('ECDSA', signer, data));
  await attempt('another key', async () => subtle.sign('HMAC', await subtle.importKey('raw', new Uint8Array(16), 'AES-CBC', true, ['encrypt']), data));
}
