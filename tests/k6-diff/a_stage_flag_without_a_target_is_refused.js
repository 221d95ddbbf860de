// flags: --stage 1s
export default function () {}
