import { b64decode } from 'k6/encoding';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;
const pkcs8 = b64decode('MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBALUSZrYULTSvvKr2L6oeMHB/y5mYhiOzuETR91JhI3K8y7eSzHtfq2z7Ezyla0dKRQy6zYqYDASHnJ4RhEfoCD0OvAerhrde0z5B4rvg2ODWTq2YPjVojBauUEF+jUQZqvRLJeTItS0GNytSPmAJnmxXCBu6f/k2xAJWFFy+Y6nlAgMBAAECgYEAr4piVtyiorRIVPmMZgEUdsv95y8NxCjkWJuxiISxp/dOC+7eHDE4cNPL53x6z0c6P8gNofIbnHyYIknbExbofB1VxqV+9jSf5H7W/AcjhRoQiQGQe6bv6c0Pk09S5VW7XW5UrVzNCxZwASQKzFkguD1ueamdj7wexr721TzKx0ECQQDun6uxg4NfACoDfgss9U58fnuhrXYYi57mFXzQkzvKtvACqwECm53Vucp+DfngRx4n/SxCG7ZAqYGQDz7vlbE1AkEAwkHfNYGfchUQ5499X43T5pf0SmicX3ri6qmIFGdw1E2inV5NoxeEVi3h4Nhi01cEkXurjnWGjcBVGONEA9Jb8QJAc5EpGiPTcCMoNeDJkNCNXoXzYm4cD+8u2cf2Vx23i4nl26TuLFEps+TzSPGD3zcSR9O5p5q8PbzaXubDWE1rMQJBAIgUBt1/iQcslKPxk1zdiGQPbDS3pVsJRW4nBkls0NAX9mMQzYgDEFQiXgnY6xmq6mtTW7E2yOQBqFr/0QRwVrECQCRK9wRqWmJHftBLGRF4D7cyg4ZD6enlFp2h/qNIc+sTuqmBsSxA3ykvYeB4+poYF9HDo5syX5HVac5bJsyRS3M=');
const spki = b64decode('MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1Ema2FC00r7yq9i+qHjBwf8uZmIYjs7hE0fdSYSNyvMu3ksx7X6ts+xM8pWtHSkUMus2KmAwEh5yeEYRH6Ag9DrwHq4a3XtM+QeK74Njg1k6tmD41aIwWrlBBfo1EGar0SyXkyLUtBjcrUj5gCZ5sVwgbun/5NsQCVhRcvmOp5QIDAQAB');

export default async function () {
  const data = new Uint8Array([1, 2, 3]);
  for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) {
    for (const name of ['RSASSA-PKCS1-v1_5', 'RSA-PSS']) {
      const own = await subtle.importKey('pkcs8', pkcs8, { name, hash }, true, ['sign']);
      const other = await subtle.importKey('spki', spki, { name, hash }, true, ['verify']);
      const algorithm = { name, saltLength: 20 };
      const signature = await subtle.sign(algorithm, own, data);
      if (name !== 'RSA-PSS') console.log(hash, hex(signature));
      console.log(signature.byteLength, await subtle.verify(algorithm, other, signature, data));
      console.log(await subtle.verify(algorithm, other, signature, new Uint8Array(3)), await subtle.verify(algorithm, other, data, data));
      await attempt('usage', () => subtle.sign(algorithm, other, data));
    }
  }
  const own = await subtle.importKey('pkcs8', pkcs8, { name: 'RSA-PSS', hash: 'SHA-256' }, true, ['sign']);
  const other = await subtle.importKey('spki', spki, { name: 'RSA-PSS', hash: 'SHA-256' }, true, ['verify', 'sign']);
  for (const saltLength of [-1, 0, 20, 32]) {
    const signature = await subtle.sign({ name: 'RSA-PSS', saltLength }, own, data);
    for (const wanted of [-1, 0, 20, 32]) {
      console.log(saltLength, wanted, await subtle.verify({ name: 'RSA-PSS', saltLength: wanted }, other, signature, data));
    }
  }
  await attempt('salt', () => subtle.sign({ name: 'RSA-PSS', saltLength: 500 }, own, data));
  await attempt('no salt', () => subtle.sign({ name: 'RSA-PSS' }, own, data));
  await attempt('name', () => subtle.sign('RSASSA-PKCS1-v1_5', own, data));
  await attempt('public', () => subtle.sign({ name: 'RSA-PSS', saltLength: 20 }, other, data));
}
