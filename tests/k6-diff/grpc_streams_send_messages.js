// differs in series: of a method with one answer k6 knows the end when the answer comes, and tags the stream with the status; here the end is what the server says
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
