import ws from 'k6/ws';
export const options = { iterations: 1 };
export default function () {
  for (const path of ['bye', 'usual', 'cut', 'ping', 'refused']) {
    const response = ws.connect(`${__ENV.SOCKET}/${path}`, (socket) => {
      socket.on('error', (e) => console.log(path, 'error', e.error()));
      socket.on('message', (text) => console.log(path, 'message', text));
      socket.on('ping', () => { console.log(path, 'ping'); socket.close(3001); });
      socket.on('close', (code) => console.log(path, 'close', code));
    });
    console.log(path, response.status, response.body, response.error);
  }
  console.log(ws.connect('ws://127.0.0.1:1/', () => {}).error, ws.connect('nothing', () => {}).error);
}
