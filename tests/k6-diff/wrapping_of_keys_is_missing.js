export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
export default async function () {
  await attempt('wrap', () => crypto.subtle.wrapKey());
  await attempt('unwrap', () => crypto.subtle.unwrapKey());
  await attempt('HKDF', () => crypto.subtle.importKey('raw', new Uint8Array(3), 'HKDF', false, ['deriveBits']));
  await attempt('PBKDF2', () => crypto.subtle.generateKey('PBKDF2', false, ['deriveBits']));
}
