import { b64decode } from 'k6/encoding';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;

const own = b64decode('MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBLwY9+uNq+77RAOxfANe2dDOKgRTwiZKDjXxpKSrr2sEdEG3RnQI9+8A+ry1SYCKWhZANiAAQJz9Q4BapjDHN6uIi4YveZdkJDDDatH1fZqbFdVJ1T1SLqVuQBdAGxPkRyK1/g685Q3uBCT4mynDlEbzO7mLGB7fWZtXwYdjYj1n12nfMWGE7cBlvNieY1nTSD5n2/WnI=');
const other = b64decode('MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAECc/UOAWqYwxzeriIuGL3mXZCQww2rR9X2amxXVSdU9Ui6lbkAXQBsT5Ecitf4OvOUN7gQk+Jspw5RG8zu5ixge31mbV8GHY2I9Z9dp3zFhhO3AZbzYnmNZ00g+Z9v1py');
export default async function () {
  const algorithm = { name: 'ECDH', namedCurve: 'P-384' };
  const key = await subtle.importKey('pkcs8', own, algorithm, true, ['deriveBits']);
  const there = await subtle.importKey('spki', other, algorithm, true, []);
  const derive = (length, parameters = { public: there }, base = key) => subtle.deriveBits({ name: 'ECDH', ...parameters }, base, length).then(hex);
  for (const length of [384, 128, 8, 0, undefined, null]) console.log(length, await derive(length));
  await attempt('odd', () => derive(13));
  await attempt('long', () => derive(512));
  await attempt('no public', () => derive(128, {}));
  await attempt('private', () => derive(128, { public: key }));
  await attempt('no key', () => derive(128, { public: {} }));
  await attempt('no base', () => derive(128, { public: there }, {}));
  const pair = await subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits', 'deriveKey']);
  console.log(pair.privateKey.usages, pair.publicKey.usages);
  await attempt('curves', () => derive(128, { public: pair.publicKey }));
  const signer = await subtle.importKey('spki', other, { name: 'ECDSA', namedCurve: 'P-384' }, true, []);
  await attempt('name', () => derive(128, { public: signer }));
  const idle = await subtle.importKey('pkcs8', own, algorithm, true, ['deriveKey']);
  await attempt('usage', () => derive(128, { public: there }, idle));
  const far = await subtle.generateKey({ name: 'ECDH', namedCurve: 'P-521' }, true, ['deriveBits']);
  const near = await subtle.generateKey({ name: 'ECDH', namedCurve: 'P-521' }, true, ['deriveBits']);
  const a = await derive(528, { public: far.publicKey }, near.privateKey);
  console.log(a === (await derive(528, { public: near.publicKey }, far.privateKey)), a.length);
  const make = (usages) => subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, usages).then(() => 'made');
  await attempt('sign', () => make(['sign']));
  await attempt('no usages', () => make([]));
}
