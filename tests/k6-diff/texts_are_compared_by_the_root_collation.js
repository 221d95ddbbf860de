const say = (...all) => all.forEach((f, n) => { let r; try { r = f(); } catch (e) { r = `${e && e.name}: ${e && e.message}`; } console.log(n, typeof r, typeof r === "string" ? r : JSON.stringify(r), Object.is(r, -0) ? "minus zero" : ""); });
const words = ['zebra', 'Äpfel', 'apple', 'Apple', 'éclair', 'eclair', 'Zoo', 'zoo', 'ñ', 'n', 'o', 'ø', 'œ', 'oe', 'ß', 'ss', 'St', '10', '9', '-a', 'a-b', 'ab', 'a b', '_x', '', ' ', 'ａ', 'Ａ', '日本', '中国', 'かな', 'カナ', '한국', 'α', 'β', 'я', 'а', '😀', '!', '$', '€', 'a\u0301', 'á', 'resume', 'résumé', 'Resume', 'coop', 'co-op', "it's", 'its', 'ﬁ', 'fi', 'İ', 'i', 'I', 'ı', '1', '²', '2', '\u00ad', '\u0000', '\n', '\t'];
export default function () {
  console.log(JSON.stringify([...words].sort((a, b) => a.localeCompare(b))));
  console.log(words.map((w, i) => w.localeCompare(words[(i + 1) % words.length])).join());
  for (const a of ['a', 'A', 'á', 'Á', 'ä', 'b']) console.log(a, ['a', 'A', 'á', 'Á', 'ä', 'b', 'aa'].map((b) => a.localeCompare(b)).join());
  say(() => 'a'.localeCompare('b', 'sv'), () => 'ä'.localeCompare('z', 'sv'), () => 'a'.localeCompare('A', undefined, { sensitivity: 'base' }), () => '10'.localeCompare('9', undefined, { numeric: true }), () => 'a'.localeCompare(), () => 'undefined'.localeCompare(), () => 'a'.localeCompare(null), () => typeof Intl);
}
