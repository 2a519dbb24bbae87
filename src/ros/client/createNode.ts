import type {
  ChangeStateRequest,
  ChangeStateResponse,
  LabelledId,
  Rclnodejs,
  RosLifecycleNode,
  RosNode,
  RosResponse,
  TransitionDescription,
} from './rclnodejs';

/** Where all nodes tell of changed parameters; rclnodejs' name for it is relative, and so another in each namespace. */
const PARAMETER_EVENTS = 'parameter_events';

/** A node of rclnodejs that others see as they see one of rclcpp. */
export function createNode({ Node }: Rclnodejs, name: string): RosNode {
  class ProperNode extends Node {
    override createPublisher(...[type, topic, options]: Parameters<RosNode['createPublisher']>) {
      return super.createPublisher(type, absolute(topic), options);
    }
  }
  return new ProperNode(name);
}

/**
 * The same with managed states. rclnodejs does not serve the transition graph, whose service its state machine
 * advertises all the same, and leaves out where transitions lead; so the state machine is made without its services, and
 * all five are offered here.
 */
export function createLifecycleNode({ lifecycle }: Rclnodejs, name: string): RosLifecycleNode {
  class ProperNode extends lifecycle.LifecycleNode {
    override createPublisher(...[type, topic, options]: Parameters<RosNode['createPublisher']>) {
      return super.createPublisher(type, absolute(topic), options);
    }
  }
  const node = new ProperNode(name, undefined, undefined, undefined, false);
  offerLifecycleServices(node);
  return node;
}

function absolute(topic: string): string {
  return topic === PARAMETER_EVENTS ? `/${topic}` : topic;
}

function offerLifecycleServices(node: RosLifecycleNode): void {
  const offer = <Response extends object>(
    type: string,
    name: string,
    answer: () => Partial<Response>,
  ): void =>
    void node.createService<Response>(`lifecycle_msgs/srv/${type}`, `~/${name}`, {}, (_request, response) =>
      response.send({ ...response.template, ...answer() }),
    );
  offer('GetState', 'get_state', () => ({ current_state: labelled(node.currentState) }));
  offer('GetAvailableStates', 'get_available_states', () => ({
    available_states: node.availableStates.map(labelled),
  }));
  const transitions = (all: readonly TransitionDescription[]): object => ({
    available_transitions: all.map(({ transition, startState, goalState }) => ({
      transition: labelled(transition),
      start_state: labelled(startState),
      goal_state: labelled(goalState),
    })),
  });
  offer('GetAvailableTransitions', 'get_available_transitions', () => transitions(node.availableTransitions));
  offer('GetAvailableTransitions', 'get_transition_graph', () => transitions(node.transitions));
  node.createService<ChangeStateResponse>(
    'lifecycle_msgs/srv/ChangeState',
    '~/change_state',
    {},
    (request, response: RosResponse<ChangeStateResponse>) =>
      node._onChangeState(request as ChangeStateRequest, response),
  );
}

function labelled({ id, label }: LabelledId): LabelledId {
  return { id, label };
}
