export const options = { iterations: 1 };
export default function () {}
export async function teardown() {
  throw new Error('from teardown');
}
