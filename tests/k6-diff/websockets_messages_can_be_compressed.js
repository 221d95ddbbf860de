import { WebSocket } from 'k6/experimental/websockets';
export const options = { iterations: 1 };
function talk(address, next) {
  const socket = new WebSocket(`${address}/`, null, { compression: 'deflate' });
  socket.binaryType = 'arraybuffer';
  let count = 0;
  socket.onopen = () => {
    console.log('open', JSON.stringify(socket.extensions), JSON.stringify(socket.protocol));
    socket.send('hello'.repeat(100)); socket.send('y'.repeat(1000)); socket.send(new Uint8Array([1, 2, 3]));
  };
  socket.onmessage = (e) => { console.log(typeof e.data, e.data.length, e.data.byteLength); if (++count === 3) socket.close(); };
  socket.onclose = () => { console.log('closed', JSON.stringify(socket.extensions)); next(); };
  socket.onerror = (e) => console.log('error', e.error);
}
export default function () {
  talk(__ENV.DEFLATE, () => talk(__ENV.DEFLATE_TLS, () => talk(__ENV.SOCKET, () => console.log('done'))));
}
