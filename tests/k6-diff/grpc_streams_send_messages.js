// differs in series: for a method with one response, k6 ends the stream at the response and tags it with the status; here the server ends it
import grpc from 'k6/net/grpc';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const stream = new grpc.Stream(client, '/lab.v1.Lab/Sum', { tags: { own: 'tag' } });
  stream.on('data', (message) => console.log('data', JSON.stringify(message)));
  stream.on('error', (error) => console.log('error', JSON.stringify(error)));
  stream.on('end', () => {
    console.log('end');
    client.close();
  });
  for (let value = 1; value <= 10; value++) stream.write({ value });
  stream.end();
  stream.write({ value: 100 });
}
