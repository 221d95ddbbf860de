export const options = { iterations: 1 };
export default function () {
  console.log({ a: '<&>\u2028\u2029é\u007f' }, ['<b>'], '<b>', { '<': 1 });
  console.log(JSON.stringify({ a: '<' }), new String('<q>'), { toJSON: () => '<x>' });
  console.log({ a: '\ud800' }, Object.keys(Math), Object.keys(JSON));
}
