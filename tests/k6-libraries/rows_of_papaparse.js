// npm: papaparse@5.4.1 papaparse.js
import papaparse from 'https://jslib.k6.io/papaparse/5.1.1/index.js';
import { SharedArray } from 'k6/data';

export const options = { iterations: 1 };

const text = 'name,number,flag\n"Ann, B.",1,true\n"He said ""hi""",2.5,false\n\nlast,,x\n';
const rows = new SharedArray('rows', () => papaparse.parse(text, { header: true, skipEmptyLines: true }).data);

export default function () {
  console.log(rows.length, JSON.stringify(rows[1]));
  const typed = papaparse.parse(text, { header: true, dynamicTyping: true, skipEmptyLines: true });
  console.log(JSON.stringify(typed.data), typed.meta.delimiter, typed.errors.length);
  const wrong = papaparse.parse('a;b\n1;2;3\n"x;4', { header: true });
  console.log(JSON.stringify(wrong.errors), wrong.meta.delimiter);
  console.log(JSON.stringify(papaparse.unparse([{ a: 'x,y', b: '"q"' }, { a: 1, b: null }])));
}
