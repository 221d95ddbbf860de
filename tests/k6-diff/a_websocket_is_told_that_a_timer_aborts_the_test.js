import exec from 'k6/execution';
import { sleep } from 'k6';
import { WebSocket } from 'k6/experimental/websockets';

export default function () {
  const socket = new WebSocket(`${__ENV.SOCKET}/echo`);
  socket.onopen = () => {
    socket.send('hi');
  };
  socket.onmessage = () => {
    setTimeout(() => exec.test.abort('on purpose'), 10);
  };
  socket.onerror = (event) => console.log(event.error.replace(/file:.*/, ''));
  socket.onclose = () => {
    console.log('closed');
    sleep(0.1);
    console.log('slept');
  };
}
