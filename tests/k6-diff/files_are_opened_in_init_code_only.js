import fs from 'k6/experimental/fs';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
if (__VU === 0) {
  for (const path of ['data/none.txt', 'data', '', undefined, null]) {
    try {
      console.log((await fs.open(path)).path);
    } catch (e) {
      console.log(e.name, e.message.replace(/"\/.*\//, '"'));
    }
  }
}
export default async function () {
  await attempt('open', () => fs.open('data/lines.txt'));
}
