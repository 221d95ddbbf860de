import exec from 'k6/execution';
export const options = { iterations: 1, tags: { half: 'a\ud800b', '\udc00': 'c' } };
export default function () {
  console.log(JSON.stringify(exec.test.options.tags));
}
