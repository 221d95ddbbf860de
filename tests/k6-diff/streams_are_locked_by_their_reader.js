import { ReadableStream, ReadableStreamDefaultReader, CountQueuingStrategy } from 'k6/experimental/streams';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
export default async function () {
  const stream = new ReadableStream({ start(c) { c.enqueue(1); } });
  const reader = stream.getReader();
  await attempt('cancel', () => stream.cancel('why'));
  await attempt('reader', () => stream.getReader());
  reader.releaseLock();
  console.log(stream.locked);
  await attempt('read', () => reader.read());
  await attempt('closed', () => reader.closed);
  await attempt('cancel', () => reader.cancel());
  console.log((await stream.getReader().read()).value);
  const empty = new ReadableStream({}).getReader();
  const read = empty.read();
  empty.releaseLock();
  await attempt('pending', () => read);
  let why;
  const cancelled = new ReadableStream({ cancel(reason) { why = reason; } }).getReader();
  console.log(await cancelled.cancel('because'), why, Object.entries(await cancelled.read()).sort().join());
  for (const mode of ['byob', 'x']) await attempt(mode, () => new ReadableStream({}).getReader({ mode }));
  await attempt('no stream', () => new ReadableStreamDefaultReader());
  await attempt('no stream', () => new ReadableStreamDefaultReader({}));
  await attempt('tee', () => new ReadableStream({}).tee());
}
