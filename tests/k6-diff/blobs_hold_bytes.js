import { Blob } from 'k6/experimental/websockets';
export const options = { iterations: 1 };
const attempt = (f) => { try { console.log(f()); } catch (e) { console.log(String(e)); } };
export default async function () {
  const blob = new Blob(['ab', new Uint8Array([99]).buffer, new Blob(['d'])], { type: 'text/plain' });
  console.log(blob.size, blob.type, await blob.text(), (await blob.arrayBuffer()).byteLength, (await blob.bytes()).length);
  console.log(await blob.slice(1, 3).text(), blob.slice(1, 2, 'q/r').type, String(blob));
  for (const parts of [5, 'x', [5], [{}], undefined]) attempt(() => new Blob(parts).size);
}
