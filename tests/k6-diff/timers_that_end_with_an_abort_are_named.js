import exec from 'k6/execution';
export const options = { iterations: 1 };
export default function () {
  setTimeout(() => console.log('never'), 1500);
  setInterval(() => console.log('never'), 1500);
  exec.test.abort('enough');
}
