import { fa } from "./cycle_a.js"; export const b = () => fa();
