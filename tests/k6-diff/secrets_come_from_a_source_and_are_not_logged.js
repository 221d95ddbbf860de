// flags: --secret-source=mock=token=tiger-lily,with=a=b
import secrets from 'k6/secrets';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
console.log('before: tiger-lily', Object.keys(secrets).sort());
const early = await secrets.get('token');
export default async function () {
  const token = await secrets.get('token');
  console.log(token.length, token === early, token, `[${token}]`, JSON.stringify({ token }));
  console.warn(await secrets.source('default').get('with'), 'a=b');
  console.error(token.split('').join(' '));
  for (const key of ['none', undefined, null, 5]) await attempt('no value', () => secrets.get(key));
  await attempt('source', () => secrets.source('other').get('token'));
  throw new Error(`thrown with ${token}`);
}
