export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const { subtle } = crypto;

export default async function () {
  const publicExponent = new Uint8Array([1, 0, 1]);
  for (const name of ['RSASSA-PKCS1-v1_5', 'RSA-PSS', 'RSA-OAEP']) {
    const usages = name === 'RSA-OAEP' ? ['encrypt', 'decrypt'] : ['sign', 'verify'];
    const pair = await subtle.generateKey({ name, modulusLength: 1024, publicExponent, hash: 'SHA-256' }, false, usages);
    const { privateKey, publicKey } = pair;
    console.log(privateKey.type, privateKey.usages, privateKey.extractable, privateKey.algorithm.modulusLength, privateKey.algorithm.hash.name);
    console.log(publicKey.type, publicKey.usages, publicKey.extractable, publicKey.algorithm.name);
    console.log((await subtle.exportKey('spki', publicKey)).byteLength);
  }
  const make = (algorithm, usages = ['encrypt']) => subtle.generateKey({ name: 'RSA-OAEP', modulusLength: 1024, publicExponent, hash: 'SHA-256', ...algorithm }, true, usages).then(() => 'made');
  await attempt('even', () => make({ publicExponent: new Uint8Array([2]) }));
  await attempt('small', () => make({ publicExponent: new Uint8Array([1]) }));
  await attempt('text', () => make({ publicExponent: 'AQAB' }));
  await attempt('no exponent', () => make({ publicExponent: undefined }));
  await attempt('no length', () => make({ modulusLength: undefined }));
  await attempt('length', () => make({ modulusLength: 0 }));
  await attempt('no hash', () => make({ hash: undefined }));
  await attempt('MD5', () => make({ hash: 'MD5' }));
  await attempt('sign', () => make({}, ['sign']));
  await attempt('no usages', () => make({}, []));
}
