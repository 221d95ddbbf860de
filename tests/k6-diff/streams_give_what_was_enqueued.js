import { ReadableStream, ReadableStreamDefaultReader, CountQueuingStrategy } from 'k6/experimental/streams';
// The order of keys varies in k6.
const sorted = (read) => JSON.stringify(Object.entries(read).sort());
export const options = { iterations: 1 };
export default async function () {
  const stream = new ReadableStream({ start(c) { c.enqueue('a'); c.enqueue({ x: 1 }); c.close(); } });
  console.log(stream.locked, String(stream), typeof stream.getReader);
  const reader = stream.getReader();
  console.log(stream.locked);
  for (let i = 0; i < 3; i++) console.log(sorted(await reader.read()));
  console.log(await reader.closed);
  let controller;
  const late = new ReadableStream({ start(c) { controller = c; } }).getReader();
  const both = [late.read(), late.read()];
  controller.enqueue(1);
  controller.close();
  console.log((await Promise.all(both)).map(sorted).join());
  const own = new ReadableStreamDefaultReader(new ReadableStream({ start(c) { c.enqueue(7); } }));
  console.log((await own.read()).value);
}
