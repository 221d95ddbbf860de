export const options = { iterations: 1 };

const told = (name, act) => { try { act(); } catch (error) { console.log(name, error.message); } };

export default function () {
  const o = {}, größe = 'äöüß€😀';
  told('ääääääääääää', () => o.nope()); told('€€€€€€€€€€€€€€', () => o.nope(größe, 1)); told('😀😀😀😀😀😀', () => größe.nope.x);
  told('日本語のテキスト', () => { const k = 'nope'; o[k](...größe); }); told('→→→→→→→→', () => { o.frozen = Object.freeze({}); o.frozen.added = 1; });
}
