import { WebSocket } from 'k6/experimental/websockets';
export const options = { iterations: 1 };
const attempt = (f) => { try { console.log('fine', f()); } catch (e) { console.log(String(e)); } };
export default function () {
  const url = `${__ENV.SOCKET}/echo`;
  attempt(() => new WebSocket());
  attempt(() => new WebSocket('nothing'));
  attempt(() => new WebSocket('http://x/'));
  attempt(() => new WebSocket(`${url}#part`));
  attempt(() => new WebSocket(url, null, { foo: 1 }));
  attempt(() => new WebSocket(url, null, { tags: { a: {} } }));
  attempt(() => new WebSocket(url, null, { compression: 'gzip' }));
  const socket = new WebSocket(url);
  attempt(() => socket.send('early'));
  attempt(() => socket.ping());
  attempt(() => { socket.binaryType = 'foo'; });
  attempt(() => { socket.onopen = 5; });
  socket.addEventListener('foo', () => {});
  socket.onopen = () => {
    for (const value of [5, {}, null, undefined, true, [1]]) attempt(() => socket.send(value));
    socket.close();
    attempt(() => socket.send('late'));
    attempt(() => socket.close());
  };
}
