// flags: -d -1s
// differs in log: wording
export default function () {}
