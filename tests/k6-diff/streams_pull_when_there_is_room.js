import { ReadableStream, ReadableStreamDefaultReader, CountQueuingStrategy } from 'k6/experimental/streams';
export const options = { iterations: 1 };
export default async function () {
  const order = [];
  const source = {
    start() { order.push('start', this === source); },
    pull(c) { order.push(`pull ${c.desiredSize}`); c.enqueue(order.length); if (order.length > 8) c.close(); },
  };
  const stream = new ReadableStream(source, { highWaterMark: 2 });
  for (let i = 0; i < 4; i++) await null;
  order.push('wait');
  const reader = stream.getReader();
  for (let i = 0; i < 4; i++) {
    const { value, done } = await reader.read();
    order.push(`${value} ${done}`);
  }
  console.log(order.join(' | '));
  let n = 0;
  const counting = new ReadableStream({ pull(c) { c.enqueue(n++); if (n > 2) c.close(); } }).getReader();
  for (let i = 0; i < 4; i++) console.log(Object.entries(await counting.read()).sort().join());
}
