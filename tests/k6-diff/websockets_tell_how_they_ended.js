import { WebSocket } from 'k6/experimental/websockets';
export const options = { iterations: 1 };
const closed = (name, url, act) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onerror = (e) => console.log(name, 'error', e.error);
  socket.onmessage = (e) => console.log(name, 'message', e.data);
  socket.onclose = () => { console.log(name, 'close', socket.readyState); resolve(); };
  if (act) act(socket);
});
export default async function () {
  for (const path of ['bye', 'usual', 'cut', 'refused']) await closed(path, `${__ENV.SOCKET}/${path}`);
  await closed('nobody', 'ws://127.0.0.1:1/');
  await closed('at once', `${__ENV.SOCKET}/echo`, (socket) => socket.close());
  await closed('ping', `${__ENV.SOCKET}/ping`, (socket) => { socket.onping = () => socket.close(); });
  await closed('own code', `${__ENV.SOCKET}/echo`, (socket) => { socket.onopen = () => socket.close(3001, 'done'); });
}
