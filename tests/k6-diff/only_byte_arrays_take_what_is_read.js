import fs from 'k6/experimental/fs';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const file = await fs.open('data/lines.txt');
export default async function () {
  for (const into of [undefined, null, 'x', 5, {}, new ArrayBuffer(4), new Uint16Array(4), new Uint8Array(0)]) {
    await attempt('read', () => file.read(into));
  }
  try {
    await file.read();
  } catch (e) {
    console.log(e instanceof Error, e.name, JSON.stringify(e));
  }
}
