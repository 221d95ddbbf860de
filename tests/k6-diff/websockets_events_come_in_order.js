import { WebSocket } from 'k6/experimental/websockets';
export const options = { iterations: 1 };
export default function () {
  const socket = new WebSocket(`${__ENV.SOCKET}/echo`, ['one', 'two'], { tags: { mine: 'yes' } });
  console.log(socket.readyState, socket.binaryType, socket.bufferedAmount, JSON.stringify(socket.protocol));
  socket.binaryType = 'arraybuffer';
  socket.onopen = (e) => { console.log(e.type, socket.readyState, socket.protocol, e.target === socket); socket.send('text'); };
  let count = 0;
  socket.onmessage = (e) => {
    console.log(e.type, typeof e.data, e.data.byteLength, e.origin === socket.url);
    if (++count === 1) { socket.send(new Uint8Array([1, 2, 3])); socket.ping(); }
  };
  socket.addEventListener('message', () => console.log('listener'));
  socket.onpong = (e) => { console.log(e.type); socket.close(1000); console.log(socket.readyState); };
  socket.onerror = (e) => console.log('error', e.error);
  socket.onclose = (e) => console.log(e.type, socket.readyState);
}
