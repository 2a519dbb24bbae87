import type { RosNode } from '../client/rclnodejs';

/** A publisher's identifier as text; empty where the middleware does not tell it. */
export function publisherId(gid: ArrayLike<number> | undefined): string {
  return gid === undefined ? '' : Buffer.from(Array.from(gid)).toString('hex');
}

/** A function that looks up who publishes a topic now: full node names by the publisher's identifier. */
export function publisherNames(node: RosNode, topic: string): () => ReadonlyMap<string, string> {
  const full = node.resolveTopicName(topic);
  return () =>
    new Map(
      node.getPublishersInfoByTopic(full).map((endpoint) => {
        const namespace = endpoint.node_namespace.replace(/\/$/, '');
        return [publisherId(endpoint.endpoint_gid), `${namespace}/${endpoint.node_name}`];
      }),
    );
}
