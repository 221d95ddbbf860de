// flags: --secret-source=mock=name=a,key=north --secret-source=mock=name=b,key=south
import secrets from 'k6/secrets';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
export default async function () {
  await attempt('get', () => secrets.get('key'));
  console.log((await secrets.source('a').get('key')).length);
}
