import fs from 'k6/experimental/fs';
import csv from 'k6/experimental/csv';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
const kept = await fs.open('data/people.csv');
if (__VU === 0) {
  const file = () => fs.open('data/people.csv');
  await attempt('text', () => new csv.Parser('x'));
  await attempt('delimiter', async () => new csv.Parser(await file(), { delimiter: ';;' }));
  await attempt('lines', async () => new csv.Parser(await file(), { fromLine: 3, toLine: 1 }));
  await attempt('far', async () => new csv.Parser(await file(), { fromLine: 30 }));
  await attempt('text', () => csv.parse('data/people.csv'));
  await attempt('object', () => csv.parse({}));
  const short = new csv.Parser(await fs.open('data/short.csv'));
  for (let i = 0; i < 5; i++) await attempt('short', async () => JSON.stringify(await short.next()));
}
export default async function () {
  await attempt('init', () => new csv.Parser(kept));
}
