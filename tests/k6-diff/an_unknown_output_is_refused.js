// flags: -o nonsense
// differs in log, stdout: other outputs are built in, and no bars are shown for a run that never begins
export default function () {}
