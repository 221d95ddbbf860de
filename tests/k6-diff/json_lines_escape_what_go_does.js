// flags: --log-format json
export const options = { iterations: 1 };
export default function () {
  console.log('<a>&\u2028\u2029 é \u007f \b\f\v\u0001"\\');
  console.log({ a: '<&>' });
}
