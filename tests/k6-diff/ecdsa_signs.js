export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const { subtle } = crypto;

export default async function () {
  const data = new Uint8Array([1, 2, 3]);
  for (const namedCurve of ['P-256', 'P-384', 'P-521']) {
    const pair = await subtle.generateKey({ name: 'ECDSA', namedCurve }, true, ['sign', 'verify']);
    console.log(Object.keys(pair).slice(0, 2), pair.privateKey.type, pair.publicKey.type, pair.privateKey.usages, pair.publicKey.usages);
    for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', { name: 'SHA-512' }]) {
      const signature = await subtle.sign({ name: 'ECDSA', hash }, pair.privateKey, data);
      const verify = (s, d) => subtle.verify({ name: 'ECDSA', hash }, pair.publicKey, s, d);
      console.log(signature.byteLength, await verify(signature, data), await verify(signature, new Uint8Array(3)), await verify(data, data));
    }
  }
  const { privateKey, publicKey } = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  console.log(privateKey.extractable, publicKey.extractable, privateKey.algorithm.name, `${privateKey.algorithm.namedCurve}`);
  await attempt('no hash', () => subtle.sign('ECDSA', privateKey, data));
  await attempt('MD5', () => subtle.sign({ name: 'ECDSA', hash: 'MD5' }, privateKey, data));
  await attempt('usage', () => subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, publicKey, data));
  await attempt('usage', () => subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, data, data));
  const make = (algorithm, usages) => subtle.generateKey(algorithm, true, usages).then((pair) => pair.publicKey.usages.length);
  await attempt('no usages', () => make({ name: 'ECDSA', namedCurve: 'P-256' }, []));
  await attempt('encrypt', () => make({ name: 'ECDSA', namedCurve: 'P-256' }, ['encrypt']));
  await attempt('curve', () => make({ name: 'ECDSA', namedCurve: 'K-256' }, ['sign']));
  await attempt('no curve', () => make({ name: 'ECDSA' }, ['sign']));
  await attempt('verify', () => make({ name: 'ECDSA', namedCurve: 'P-256' }, ['verify']));
}
