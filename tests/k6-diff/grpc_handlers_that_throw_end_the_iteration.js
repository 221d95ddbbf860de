import exec from 'k6/execution';
import grpc from 'k6/net/grpc';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');
export const options = { iterations: 8 };

// The server sends slowly, so that a handler has thrown before the second message arrives.
const SLOWLY = { count: 50, millis: 100 };

// One stream in each iteration, since the order in which several are cancelled varies.
const ways = [
  function thrownByData() {
    open(SLOWLY, { data: () => { throw new Error('by data'); } });
  },
  function thrownByDataAndWhatFollows() {
    open(SLOWLY, {
      data: () => { throw new Error('by data'); },
      error: () => { throw new Error('by error'); },
      end: () => { throw new Error('by end'); },
    });
  },
  function thrownByError() {
    open({ count: 0, millis: 1, code: 5 }, { error: () => { throw new Error('by error'); } });
  },
  function thrownByEnd() {
    open({ count: 0, millis: 1, code: 5 }, { end: () => { throw new Error('by end'); } });
  },
  function thrownByTimer() {
    open(SLOWLY, {}, 'silent');
    setTimeout(() => { throw new Error('by timer'); }, 30);
    setInterval(() => console.log('never'), 10000);
  },
  function rejected() {
    open(SLOWLY, { data: async () => { throw new Error('by promise'); } });
  },
  function thrownByTheFunction() {
    // Nothing is sent, since it would be cancelled in transit.
    open(undefined, {});
    throw new Error('by the function');
  },
  function withoutHandlers() {
    const stream = new grpc.Stream(client, 'lab.v1.Lab/Count');
    stream.on('data', () => { throw new Error('by data'); });
    stream.write(SLOWLY);
  },
];

function open(wanted, throwing, silent) {
  const stream = new grpc.Stream(client, 'lab.v1.Lab/Count');
  const told = {
    data: (message) => silent || console.log(`data ${message.value}`),
    error: (error) => console.log(`error ${error.code} ${error.message.split(' at ')[0]}`),
    end: () => console.log('end'),
  };
  for (const kind of ['data', 'error', 'end']) {
    stream.on(kind, (value) => {
      told[kind](value);
      if (throwing[kind]) throwing[kind]();
    });
    stream.on(kind, () => silent || console.log(`the second handler of ${kind}`));
  }
  if (wanted) stream.write(wanted);
}

export default function () {
  const way = ways[exec.scenario.iterationInTest];
  console.log(way.name);
  client.connect(__ENV.GRPC, { plaintext: true });
  way();
}

export function teardown() {
  console.log('the run goes on');
}
