// flags: -d 5
export default function () {}
