// flags: -u 0 -i 1
export default function () {}
