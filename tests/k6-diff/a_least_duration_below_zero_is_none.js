// flags: --min-iteration-duration=-1s
export const options = { iterations: 1 };
export default function () {
  console.log('runs');
}
