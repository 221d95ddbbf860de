import fs from 'k6/experimental/fs';
import csv from 'k6/experimental/csv';
export const options = { iterations: 1 };
const parser = new csv.Parser(await fs.open('data/people.csv'), { skipFirstLine: true });
const objects = new csv.Parser(await fs.open('data/people.csv'), { asObjects: true });
export default async function () {
  console.log(String(parser), typeof parser.next);
  for (let i = 0; i < 5; i++) console.log(JSON.stringify(await parser.next()));
  for (let i = 0; i < 5; i++) {
    const { done, value } = await objects.next();
    console.log(done, Object.entries(value).sort().join(' '));
  }
}
