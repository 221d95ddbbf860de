import fs from 'k6/experimental/fs';
import csv from 'k6/experimental/csv';
export const options = { iterations: 1 };
const people = await csv.parse(await fs.open('data/people.csv'), { delimiter: ',' });
const objects = await csv.parse(await fs.open('data/people.csv'), { asObjects: true });
const others = await csv.parse(await fs.open('data/semicolons.csv'), { delimiter: ';' });
export default async function () {
  console.log(people.length, JSON.stringify(people), JSON.stringify(people[2]));
  console.log(objects.length, JSON.stringify(objects), JSON.stringify(others));
  console.log(people.map((row) => row[0]).join('|'), [...objects].length, objects.filter((row) => row.age === '9').length);
  for (const change of [() => { people[0][0] = 'x'; }, () => { people.push('x'); }]) {
    try {
      change();
      console.log('changed');
    } catch (e) {
      console.log(e instanceof TypeError);
    }
  }
}
