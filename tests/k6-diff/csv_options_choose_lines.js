import fs from 'k6/experimental/fs';
import csv from 'k6/experimental/csv';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
if (__VU === 0) {
  const parse = async (options) => JSON.stringify(await csv.parse(await fs.open('data/people.csv'), options));
  for (const options of [{}, { skipFirstLine: true }, { fromLine: 1 }, { fromLine: '2' }, { toLine: 1 }, { fromLine: 1, toLine: 2 },
    { fromLine: 2, skipFirstLine: true }, { toLine: 0 }, { toLine: 99 }, { asObjects: true, toLine: 1 }, { other: 1 }]) {
    await attempt(JSON.stringify(options), () => parse(options));
  }
  for (const options of [{ fromLine: 1, toLine: 1 }, { fromLine: 3, toLine: 1 }, { fromLine: -1 }, { delimiter: ';;' }, { skipFirstLine: true, asObjects: true }, { fromLine: 1, asObjects: true }]) {
    await attempt(JSON.stringify(options), () => parse(options));
  }
}
export default function () {}
