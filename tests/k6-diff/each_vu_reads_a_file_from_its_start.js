import fs from 'k6/experimental/fs';
export const options = { scenarios: { all: { executor: 'per-vu-iterations', vus: 3, iterations: 1 } } };
const file = await fs.open('data/lines.txt');
export default async function () {
  const bytes = new Uint8Array(5);
  await file.read(bytes);
  if (String.fromCharCode(...bytes) !== 'first') console.log('not the start');
}
