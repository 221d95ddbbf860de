// flags: --execution-segment 0:1/2 --execution-segment-sequence 0,1/3,1
// differs in log: the message says what is wrong in its own words
export const options = { vus: 4, iterations: 13 };
export default function () {}
