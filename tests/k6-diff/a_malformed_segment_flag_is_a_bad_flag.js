// flags: --execution-segment nope
export default function () {}
