// flags: --tag= --tag a=b=c
export default function () {}
