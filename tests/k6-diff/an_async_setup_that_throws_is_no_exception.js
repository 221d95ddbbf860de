export const options = { iterations: 1 };
export async function setup() {
  throw new Error('from setup');
}
export default function () {
  console.log('never');
}
