export const options = { iterations: 1 };
const { subtle } = crypto;

export default async function () {
  const order = [];
  const digest = subtle.digest('SHA-256', new Uint8Array(3)).then(() => order.push('digest'));
  Promise.resolve().then(() => order.push('job'));
  order.push('code');
  await digest;
  console.log(order.join(' '));
}
