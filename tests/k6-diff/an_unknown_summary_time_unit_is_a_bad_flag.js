// flags: --summary-time-unit h
export default function () {}
