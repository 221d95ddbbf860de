export const options = { iterations: 1 };

export function setup() {
  const buffer = new Uint8Array([1, 2, 3]).buffer;
  return {
    bytes: new Uint8Array([1, 2, 255]),
    clamped: new Uint8ClampedArray([7]),
    part: new Uint8Array(buffer).subarray(1),
    none: [new Uint8Array(0), new Uint8ClampedArray(0), new Float64Array(0), new Float32Array(0), new Int8Array(0), new BigInt64Array(0)],
    numbers: [new Int8Array([-1]), new Uint16Array([300]), new Int32Array([-5]), new Uint32Array([4294967295])],
    large: [new BigInt64Array([-1n]), new BigUint64Array([1n])],
    floats: [new Float32Array([0.1, 1e10, -3.4e38]), new Float64Array([0.1, 1e300, -0])],
    buffer: buffer,
    view: new DataView(buffer),
    boxed: [new String('s'), new Number(1), new Boolean(false)],
    halves: '\ud800x',
  };
}

const show = (data) => JSON.stringify(Object.entries(data).sort());

export default function (data) {
  console.log(show(data), typeof data.bytes);
}

export function teardown(data) {
  console.log(show(data));
}
