export const options = { iterations: 1, setupTimeout: '200ms' };
export function setup() {
  setTimeout(() => console.log('never'), 1500);
}
export default function () {}
