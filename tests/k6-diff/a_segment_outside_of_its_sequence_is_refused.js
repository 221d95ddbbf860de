// flags: --execution-segment 0:1/2 --execution-segment-sequence 0,1/3,1
export const options = { vus: 4, iterations: 13 };
export default function () {}
