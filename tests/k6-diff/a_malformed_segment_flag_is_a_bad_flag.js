// flags: --execution-segment nope
// differs in log: wording
export default function () {}
