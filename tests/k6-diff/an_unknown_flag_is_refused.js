// flags: --no-such-flag
// differs in log, stdout: the command line is another library's
export default function () {}
