// flags: --tag= --tag a=b
export default function () {}
