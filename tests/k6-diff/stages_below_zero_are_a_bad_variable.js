// env: K6_STAGES=-1s:2
export default function () {}
