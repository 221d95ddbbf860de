import { b64decode } from 'k6/encoding';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;
const pkcs8 = b64decode('MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBALUSZrYULTSvvKr2L6oeMHB/y5mYhiOzuETR91JhI3K8y7eSzHtfq2z7Ezyla0dKRQy6zYqYDASHnJ4RhEfoCD0OvAerhrde0z5B4rvg2ODWTq2YPjVojBauUEF+jUQZqvRLJeTItS0GNytSPmAJnmxXCBu6f/k2xAJWFFy+Y6nlAgMBAAECgYEAr4piVtyiorRIVPmMZgEUdsv95y8NxCjkWJuxiISxp/dOC+7eHDE4cNPL53x6z0c6P8gNofIbnHyYIknbExbofB1VxqV+9jSf5H7W/AcjhRoQiQGQe6bv6c0Pk09S5VW7XW5UrVzNCxZwASQKzFkguD1ueamdj7wexr721TzKx0ECQQDun6uxg4NfACoDfgss9U58fnuhrXYYi57mFXzQkzvKtvACqwECm53Vucp+DfngRx4n/SxCG7ZAqYGQDz7vlbE1AkEAwkHfNYGfchUQ5499X43T5pf0SmicX3ri6qmIFGdw1E2inV5NoxeEVi3h4Nhi01cEkXurjnWGjcBVGONEA9Jb8QJAc5EpGiPTcCMoNeDJkNCNXoXzYm4cD+8u2cf2Vx23i4nl26TuLFEps+TzSPGD3zcSR9O5p5q8PbzaXubDWE1rMQJBAIgUBt1/iQcslKPxk1zdiGQPbDS3pVsJRW4nBkls0NAX9mMQzYgDEFQiXgnY6xmq6mtTW7E2yOQBqFr/0QRwVrECQCRK9wRqWmJHftBLGRF4D7cyg4ZD6enlFp2h/qNIc+sTuqmBsSxA3ykvYeB4+poYF9HDo5syX5HVac5bJsyRS3M=');
const spki = b64decode('MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1Ema2FC00r7yq9i+qHjBwf8uZmIYjs7hE0fdSYSNyvMu3ksx7X6ts+xM8pWtHSkUMus2KmAwEh5yeEYRH6Ag9DrwHq4a3XtM+QeK74Njg1k6tmD41aIwWrlBBfo1EGar0SyXkyLUtBjcrUj5gCZ5sVwgbun/5NsQCVhRcvmOp5QIDAQAB');

export default async function () {
  const data = new Uint8Array([1, 2, 3]);
  const label = new Uint8Array([9]);
  for (const hash of ['SHA-1', 'SHA-256', 'SHA-384']) {
    const own = await subtle.importKey('pkcs8', pkcs8, { name: 'RSA-OAEP', hash }, true, ['decrypt', 'encrypt']);
    const other = await subtle.importKey('spki', spki, { name: 'RSA-OAEP', hash }, true, ['encrypt']);
    const plain = await subtle.encrypt({ name: 'RSA-OAEP' }, other, data);
    const labelled = await subtle.encrypt({ name: 'RSA-OAEP', label }, other, data);
    console.log(plain.byteLength, hex(await subtle.decrypt({ name: 'rsa-oaep' }, own, plain)));
    console.log(hex(await subtle.decrypt({ name: 'RSA-OAEP', label }, own, labelled)));
    await attempt('label', () => subtle.decrypt({ name: 'RSA-OAEP' }, own, labelled));
    await attempt('short', () => subtle.decrypt({ name: 'RSA-OAEP' }, own, data));
    await attempt('long', () => subtle.encrypt({ name: 'RSA-OAEP' }, other, new Uint8Array(200)));
    await attempt('just a name', () => subtle.encrypt('RSA-OAEP', other, data));
    await attempt('private', () => subtle.encrypt({ name: 'RSA-OAEP' }, own, data));
    await attempt('usage', () => subtle.decrypt({ name: 'RSA-OAEP' }, other, data));
  }
}
