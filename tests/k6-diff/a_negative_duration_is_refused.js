// differs in log: a negative duration is refused when it is read
export const options = { vus: 1, duration: '-1s' };
export default function () {}
