const order = [];
setTimeout(() => order.push('timer'), 1);
Promise.resolve().then(() => order.push('job'));
await null;
order.push('awaited');
await new Promise((resolve) => setTimeout(resolve, 20));
if (__VU) console.log(order.join());
export const options = { iterations: 1 };
export default function () { console.log(order.join()); }
