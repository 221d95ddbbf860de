import fs from 'k6/experimental/fs';
import csv from 'k6/experimental/csv';
export const options = { iterations: 1 };
if (__VU === 0) {
  const file = await fs.open('data/people.csv');
  await file.read(new Uint8Array(9));
  console.log(JSON.stringify(await csv.parse(file)), await file.seek(0, fs.SeekMode.Current));
  console.log(JSON.stringify(await csv.parse(file)));
  const one = await fs.open('data/people.csv');
  const [a, b] = [new csv.Parser(one), new csv.Parser(one)];
  console.log(JSON.stringify([await a.next(), await b.next(), await a.next()]));
}
export default function () {}
