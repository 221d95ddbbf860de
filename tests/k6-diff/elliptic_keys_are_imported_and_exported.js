import { b64decode } from 'k6/encoding';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
const { subtle } = crypto;

const pkcs8 = b64decode('MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgVAozvvOcin4BTQ6y5T1Wh8Qz9zfEa+/Qif/tQEJWag6hRANCAATkpWqNyudL4pNOE9tJJRJS3Vq75oQErbFfR2WqXtPO7ezTK20/0Y4ahts6YxTaEKnKQPeS4B/YmgJMOZsURU6x');
const spki = b64decode('MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5KVqjcrnS+KTThPbSSUSUt1au+aEBK2xX0dlql7Tzu3s0yttP9GOGobbOmMU2hCpykD3kuAf2JoCTDmbFEVOsQ==');
export default async function () {
  for (const name of ['ECDSA', 'ECDH']) {
    const algorithm = { name, namedCurve: 'P-256' };
    const load = (format, data, usages) => subtle.importKey(format, data, algorithm, true, usages);
    const own = await load('pkcs8', pkcs8, [name === 'ECDSA' ? 'sign' : 'deriveBits']);
    const other = await load('spki', spki, []);
    console.log(own.type, own.usages, other.type, other.usages, own.algorithm.name, `${own.algorithm.namedCurve}`);
    console.log(hex(await subtle.exportKey('pkcs8', own)));
    console.log(hex(await subtle.exportKey('spki', other)), hex(await subtle.exportKey('raw', other)));
    const jwk = await subtle.exportKey('jwk', own);
    console.log(Object.entries(jwk).sort().join(' '));
    console.log(Object.entries(await subtle.exportKey('jwk', other)).sort().join(' '));
    console.log((await load('jwk', jwk, ['sign'])).type);
    delete jwk.d;
    console.log((await load('jwk', jwk, [])).type, (await load('raw', await subtle.exportKey('raw', other), [])).type);
    await attempt('private raw', () => subtle.exportKey('raw', own));
    await attempt('private spki', () => subtle.exportKey('spki', own));
    await attempt('public pkcs8', () => subtle.exportKey('pkcs8', other));
    await attempt('format', () => subtle.exportKey('bogus', own));
    await attempt('short point', () => load('raw', new Uint8Array(64), []));
    await attempt('no point', () => load('raw', new Uint8Array(65), []));
    await attempt('no usages', () => load('pkcs8', pkcs8, []));
    await attempt('format', () => load('bogus', pkcs8, []));
    for (const wrong of [{ kty: 'oct' }, {}, { kty: 'EC' }, { kty: 'EC', crv: 'P-256', y: 'AA' }, { kty: 'EC', crv: 'P-256', x: 'A!', y: 'AA' }]) {
      await attempt('jwk', () => load('jwk', wrong, []));
    }
    await attempt('curve', () => subtle.importKey('raw', new Uint8Array(65), { name, namedCurve: 'P-1' }, true, []));
    await attempt('no curve', () => subtle.importKey('raw', new Uint8Array(65), name, true, []));
  }
}
