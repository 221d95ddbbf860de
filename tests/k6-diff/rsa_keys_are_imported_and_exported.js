import { b64decode } from 'k6/encoding';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;
const pkcs8 = b64decode('MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBALUSZrYULTSvvKr2L6oeMHB/y5mYhiOzuETR91JhI3K8y7eSzHtfq2z7Ezyla0dKRQy6zYqYDASHnJ4RhEfoCD0OvAerhrde0z5B4rvg2ODWTq2YPjVojBauUEF+jUQZqvRLJeTItS0GNytSPmAJnmxXCBu6f/k2xAJWFFy+Y6nlAgMBAAECgYEAr4piVtyiorRIVPmMZgEUdsv95y8NxCjkWJuxiISxp/dOC+7eHDE4cNPL53x6z0c6P8gNofIbnHyYIknbExbofB1VxqV+9jSf5H7W/AcjhRoQiQGQe6bv6c0Pk09S5VW7XW5UrVzNCxZwASQKzFkguD1ueamdj7wexr721TzKx0ECQQDun6uxg4NfACoDfgss9U58fnuhrXYYi57mFXzQkzvKtvACqwECm53Vucp+DfngRx4n/SxCG7ZAqYGQDz7vlbE1AkEAwkHfNYGfchUQ5499X43T5pf0SmicX3ri6qmIFGdw1E2inV5NoxeEVi3h4Nhi01cEkXurjnWGjcBVGONEA9Jb8QJAc5EpGiPTcCMoNeDJkNCNXoXzYm4cD+8u2cf2Vx23i4nl26TuLFEps+TzSPGD3zcSR9O5p5q8PbzaXubDWE1rMQJBAIgUBt1/iQcslKPxk1zdiGQPbDS3pVsJRW4nBkls0NAX9mMQzYgDEFQiXgnY6xmq6mtTW7E2yOQBqFr/0QRwVrECQCRK9wRqWmJHftBLGRF4D7cyg4ZD6enlFp2h/qNIc+sTuqmBsSxA3ykvYeB4+poYF9HDo5syX5HVac5bJsyRS3M=');
const spki = b64decode('MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1Ema2FC00r7yq9i+qHjBwf8uZmIYjs7hE0fdSYSNyvMu3ksx7X6ts+xM8pWtHSkUMus2KmAwEh5yeEYRH6Ag9DrwHq4a3XtM+QeK74Njg1k6tmD41aIwWrlBBfo1EGar0SyXkyLUtBjcrUj5gCZ5sVwgbun/5NsQCVhRcvmOp5QIDAQAB');

export default async function () {
  for (const name of ['RSASSA-PKCS1-v1_5', 'RSA-PSS', 'RSA-OAEP']) {
    const load = (format, data, usages, hash = 'SHA-256') => subtle.importKey(format, data, { name, hash }, true, usages);
    const [priv, pub] = name === 'RSA-OAEP' ? [['decrypt'], ['encrypt']] : [['sign'], ['verify']];
    const own = await load('pkcs8', pkcs8, priv);
    const other = await load('spki', spki, pub, { name: 'SHA-384' });
    console.log(own.type, own.usages, own.algorithm.name, own.algorithm.modulusLength, own.algorithm.hash.name);
    console.log(other.type, other.usages, other.algorithm.hash.name);
    console.log(hex(await subtle.exportKey('pkcs8', own)) === hex(pkcs8), hex(await subtle.exportKey('spki', other)));
    const jwk = await subtle.exportKey('jwk', own);
    console.log(Object.entries(jwk).sort().join(' '));
    console.log(Object.entries(await subtle.exportKey('jwk', other)).sort().join(' '));
    console.log((await load('jwk', jwk, priv)).type);
    await attempt('without p', () => load('jwk', { ...jwk, p: undefined }, priv));
    await attempt('without dp', () => load('jwk', { ...jwk, dp: undefined }, priv));
    await attempt('private spki', () => subtle.exportKey('spki', own));
    await attempt('public pkcs8', () => subtle.exportKey('pkcs8', other));
    await attempt('raw', () => subtle.exportKey('raw', other));
    await attempt('raw', () => load('raw', spki, pub));
    await attempt('no usages', () => load('pkcs8', pkcs8, []));
    await attempt('MD5', () => load('spki', spki, pub, 'MD5'));
    await attempt('no hash', () => subtle.importKey('spki', spki, { name }, true, pub));
    for (const wrong of [{}, { kty: 'EC' }, { kty: 'RSA' }, { kty: 'RSA', n: 'AA' }, { kty: 'RSA', n: '!!', e: 'AQAB' }]) {
      await attempt('jwk', () => load('jwk', wrong, pub));
    }
  }
}
