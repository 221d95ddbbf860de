// flags: --no-such-flag
export default function () {}
