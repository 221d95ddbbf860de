export const options = { iterations: 4 };
export default function () {
  if (__ITER === 0) throw 'a string';
  if (__ITER === 1) throw new RangeError('range');
}
