// flags: -d 5
// differs in log: wording
export default function () {}
