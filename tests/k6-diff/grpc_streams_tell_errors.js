import grpc from 'k6/net/grpc';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

// One stream after another, since the order of the events of several varies.
function run(rest) {
  if (rest.length === 0) {
    client.close();
    return;
  }
  const [name, method, params, messages] = rest[0];
  const stream = new grpc.Stream(client, `lab.v1.Lab/${method}`, params);
  stream.on('data', (message) => console.log(name, 'data', JSON.stringify(message)));
  stream.on('error', (error) => {
    console.log(name, 'error', JSON.stringify(error), Object.keys(error).join(), String(error));
    console.log(name, error.code === grpc.StatusNotFound, typeof error.code, error instanceof Error);
  });
  stream.on('end', () => {
    console.log(name, 'end');
    run(rest.slice(1));
  });
  for (const message of messages) stream.write(message);
  stream.end();
}

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  run([
    ['after messages', 'Count', {}, [{ count: 2, code: 5 }]],
    ['without messages', 'Count', {}, [{ code: 7 }]],
    ['missing', 'Missing', {}, []],
    ['no message', 'Count', {}, []],
    ['told to', 'Chat', {}, [{ text: 'fail' }]],
    ['ended by the server', 'Chat', {}, [{ text: 'stop' }]],
    ['discarded', 'Count', { discardResponseMessage: true }, [{ count: 2 }]],
  ]);
}
