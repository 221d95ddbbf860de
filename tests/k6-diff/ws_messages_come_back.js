import ws from 'k6/ws';
export const options = { iterations: 1 };
export default function () {
  const response = ws.connect(`${__ENV.SOCKET}/echo`, { tags: { mine: 'yes' } }, (socket) => {
    socket.on('open', () => {
      console.log('open');
      socket.send('text');
      socket.sendBinary(new Uint8Array([1, 2]).buffer);
      socket.ping();
    });
    socket.on('message', (text) => console.log('message', text));
    socket.on('binaryMessage', (bytes) => console.log('binary', bytes.byteLength));
    socket.on('pong', () => socket.close());
    socket.on('close', (code) => console.log('close', code));
  });
  console.log(response.status, response.error, response.body, response.headers.Upgrade);
}
