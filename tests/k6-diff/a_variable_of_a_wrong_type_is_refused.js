// env: K6_VUS=many
export default function () {}
