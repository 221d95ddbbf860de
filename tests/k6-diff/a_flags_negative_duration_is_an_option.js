// flags: -d -1s
export default function () {}
