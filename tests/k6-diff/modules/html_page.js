// The page that the scripts about HTML parse, and the display of their results.
export const page = `<html lang="en"><head><title>T</title></head><body><div id="a" class="x y" data-foo="1" data-bar-baz='{"a":1}'>hello <b>bold</b><!-- c --></div>
<ul><li>1</li><li class="m">2</li><li>3</li></ul>
<form id="f" action="/go?x=1" method="post"><input name="t" value="v"><input type="checkbox" name="c" value="on" checked="checked"><input type="radio" name="r" value="r1">
<select name="s"><option value="1">one</option><option value="2" selected>two</option></select><textarea name="ta">tx</textarea><input type="submit" name="sub" value="Go"></form>
<a href="http://u:p@h.example:81/p/q?s=1#frag" rel="nofollow me" target="_b">link</a><table><tr><td>c</td></tr></table></body></html>`;
export const show = (value) => {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value === 'object' && value.size) return `selection(${value.size()} ${value.text()})`;
  if (typeof value === 'object' && value.nodeName) return `element(${value.nodeName()})`;
  return typeof value === 'object' ? JSON.stringify(value) : `${typeof value}:${value}`;
};
export const attempt = (name, f) => {
  try {
    console.log(name, show(f()));
  } catch (e) {
    console.log(name, String(e));
  }
};
