import type { ListParametersRequest, ListParametersResult } from '../client/rclnodejs';

const SEPARATOR = '.';

/**
 * Which of a node's parameters `list_parameters` names, as rclcpp answers: all below a prefix (and the parameter of that
 * very name), at most `depth` words below it; without a prefix, those of at most `depth` words. A depth of 0 has no end.
 * The prefixes of the answer are what stands before the last word of its names.
 */
export function listParameters(
  all: readonly string[],
  { prefixes, depth }: ListParametersRequest,
): ListParametersResult {
  const deepest = Number(depth) === 0 ? Infinity : Number(depth);
  const near = (rest: string): boolean => rest.split(SEPARATOR).length <= deepest;
  const names = all
    .filter((name) => {
      if (prefixes.length === 0) return near(name);
      return prefixes.some(
        (prefix) =>
          name === prefix ||
          (name.startsWith(prefix + SEPARATOR) && near(name.slice(prefix.length + SEPARATOR.length))),
      );
    })
    .sort();
  const before = names
    .filter((name) => name.includes(SEPARATOR))
    .map((name) => name.slice(0, name.lastIndexOf(SEPARATOR)));
  return { names, prefixes: [...new Set(before)] };
}
