// flags: --stage 1s:1 --stage :2
export default function () {}
