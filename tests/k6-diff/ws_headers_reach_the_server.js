import ws from 'k6/ws';
export const options = { iterations: 1 };
export default function () {
  const params = { headers: { 'X-Foo': 'bar', 'Sec-WebSocket-Protocol': 'one, two' }, compression: 'deflate' };
  ws.connect(`${__ENV.SOCKET}/headers`, params, (socket) => {
    socket.on('message', (text) => { console.log(text.toLowerCase().split('|').sort().join('|')); socket.close(); });
  });
}
