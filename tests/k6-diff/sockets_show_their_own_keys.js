import ws from 'k6/ws';
import { WebSocket, Blob } from 'k6/experimental/websockets';

export const options = { iterations: 1 };

function show(name, object) {
  const all = [];
  for (const key in object) all.push(key.startsWith('on') ? key : `${key} ${typeof object[key]}`);
  let json;
  try { json = JSON.stringify(object); } catch (error) { json = String(error); }
  console.log(name, Object.keys(object).join(), '|', all.join(), '|', String(json).replace(/"bufferedAmount":-?\d+,/, '').replace(/\d{5,}(\.\d+)?/g, 'N'));
  console.log(name, Object.prototype.toString.call(object), Object.isExtensible(object));
}

export default function () {
  ws.connect(`${__ENV.SOCKET_TLS}/`, null, (socket) => {
    show('ws', socket);
    socket.on('open', () => socket.close());
  });
  const socket = new WebSocket(`${__ENV.SOCKET_TLS}/`);
  show('WebSocket', socket);
  console.log(Object.keys(new Blob(['a'])).join());
  socket.onopen = (event) => { show('open', event); socket.send('hi'); };
  socket.onmessage = (event) => { show('message', event); socket.close(); };
}
