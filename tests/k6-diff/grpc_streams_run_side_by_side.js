import grpc from 'k6/net/grpc';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');
const STREAMS = 5;

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const sums = {};
  let open = STREAMS;
  for (let number = 0; number < STREAMS; number++) {
    const stream = new grpc.Stream(client, 'lab.v1.Lab/Chat', { tags: { number: `${number}` }, metadata: { 'x-number': `${number}` } });
    sums[number] = [];
    stream.on('data', (message) => {
      sums[number].push(message.text);
      if (sums[number].length < 4) stream.write({ text: `${message.text.toLowerCase()}${number}` });
      else stream.end();
    });
    stream.on('end', () => {
      open -= 1;
      if (open > 0) return;
      console.log(JSON.stringify(sums));
      client.close();
    });
    stream.write({ text: `s${number}` });
  }
  for (let call = 0; call < 3; call++) client.invoke('lab.v1.Lab/Wait', { millis: 5 });
}
