import fs from 'k6/experimental/fs';
export const options = { iterations: 1 };
const file = await fs.open('data/lines.txt');
console.log(Object.keys(file).sort(), String(file), file.path.split('/').pop());
export default async function () {
  const read = async (length) => {
    const bytes = new Uint8Array(length);
    const count = await file.read(bytes);
    return `${count} ${String.fromCharCode(...bytes.slice(0, count || 0))}`;
  };
  console.log(JSON.stringify(await file.stat()));
  for (const length of [5, 0, 7, 100, 1, 1]) console.log(await read(length));
  console.log(await file.seek(6, fs.SeekMode.Start), await read(4));
  const all = await Promise.all([file.seek(0, 0), file.read(new Uint8Array(2)), file.read(new Uint8Array(3))]);
  console.log(all);
}
