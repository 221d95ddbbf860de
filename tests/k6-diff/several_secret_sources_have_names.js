// flags: --secret-source=mock=name=first,key=north --secret-source=mock=name=second,default,key=south
import secrets from 'k6/secrets';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
export default async function () {
  console.log((await secrets.get('key')).split('').join('.'), (await secrets.source('first').get('key')).split('').join('.'));
  console.log((await secrets.source('second').get('key')).split('').join('.'));
  await attempt('other', () => secrets.source('third').get('key'));
  console.log('north and south');
}
