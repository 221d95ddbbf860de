// flags: --tag=
export default function () {}
