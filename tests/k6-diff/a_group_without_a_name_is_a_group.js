import { group, check } from 'k6';

export default function () {
  group('', () => check(1, { root: (v) => v === 1 }));
  group('outer', () => {
    group('', () => check(1, { inner: (v) => v === 1 }));
  });
}

export function handleSummary(data) {
  const { checks, groups } = data.root_group;
  const outer = groups[0];
  const shown = [checks.map((c) => c.path), outer.path, outer.checks, outer.groups.map((g) => [g.name, g.path, g.checks.map((c) => c.path)])];
  return { stdout: `${JSON.stringify(shown)}\n` };
}
