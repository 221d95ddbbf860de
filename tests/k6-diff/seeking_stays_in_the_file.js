import fs from 'k6/experimental/fs';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const file = await fs.open('data/lines.txt');
export default async function () {
  console.log(Object.entries(fs.SeekMode).sort().join(' '));
  const seek = (...args) => attempt(JSON.stringify(args), () => file.seek(...args));
  for (const [offset, mode] of [[3, 0], [2, 1], [-1, 1], [-4, 2], [0, 2], [0, 0]]) await seek(offset, mode);
  for (const [offset, mode] of [[-1, 0], [-9, 1], [1, 2], [99, 0], [99, 1], [-99, 2]]) await seek(offset, mode);
  for (const args of [[0, 5], [0], [], ['x', 0], [1.5, 0], [null, 0], [0, null]]) await seek(...args);
  console.log(await file.seek(0, fs.SeekMode.Current));
}
