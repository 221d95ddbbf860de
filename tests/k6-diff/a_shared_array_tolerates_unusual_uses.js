import { SharedArray } from 'k6/data';

export const options = { iterations: 1 };

const shared = new SharedArray('some', () => [{ a: 1, b: [1] }, 2, 'x']);

let withoutNew;
try { withoutNew = typeof SharedArray('other', () => []); } catch (error) { withoutNew = String(error); }

const uses = {
  withoutNew: () => withoutNew,
  beyond: () => Object.getOwnPropertyDescriptor(shared, 5),
  ownBeyond: () => [shared.hasOwnProperty(5), Object.hasOwn(shared, 1), 5 in shared],
  ownName: () => [shared.hasOwnProperty('foo'), Object.getOwnPropertyDescriptor(shared, 'foo')],
  setItem: () => Reflect.set(shared, 0, 1),
  deleteItem: () => Reflect.deleteProperty(shared, 0),
  forEach: () => { const all = []; shared.forEach((item, at, list) => all.push([typeof item, at, list === shared])); return all; },
  every: () => [shared.every((item) => item), shared.some((item) => item === 2), shared.findIndex((item) => item === 'x'), shared.findLast((item) => item === 2), shared.lastIndexOf('x')],
  reduceRight: () => shared.reduceRight((all, item) => all + typeof item, ''),
  keys: () => [[...shared.keys()], [...shared.values()].length],
  sorted: () => shared.toSorted().length,
  spliced: () => shared.toSpliced(0, 1),
  text: () => [shared.toString(), shared.toLocaleString()],
};

export default function () {
  for (const [name, use] of Object.entries(uses)) {
    try {
      const value = use();
      console.log(name, typeof value, JSON.stringify(value));
    } catch (error) {
      console.log(name, String(error));
    }
  }
}
