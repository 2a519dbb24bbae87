/** Whether a text is the name of a topic in ROS 2: absolute, relative, or private with `~/`. */
export function isTopicName(text: string): boolean {
  return /^(?:~\/|[~/])?[A-Za-z_][A-Za-z0-9_]*(?:\/[A-Za-z0-9_]+)*$/.test(text);
}
