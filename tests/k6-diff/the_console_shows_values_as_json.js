export const options = { iterations: 1 };
export default function () {
  console.log({ a: 1, b: [1, 'x', null], c: { d: true } });
  console.log([1, 2], 'text', 3.5, -0, undefined, null, true);
  console.log(new Error('inside'));
}
