// flags: -o nonsense
// differs in log, stdout: the list of outputs is that of this program, and no progress bars are shown for a run that never starts
export default function () {}
