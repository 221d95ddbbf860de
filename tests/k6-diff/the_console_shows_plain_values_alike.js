export const options = { iterations: 1 };
export default function () {
  console.log('text', 3.5, 1e21, undefined, null, true, NaN, Infinity);
  console.log('a %s %d', 'x', 5);
  console.log();
  console.log('line\nbreak', 'tab\there', 'quote "x"', 'back\\slash');
}
