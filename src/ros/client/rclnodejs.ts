/**
 * The part of rclnodejs that this project uses, in its own words: the package is there only where ROS 2 is, and
 * its own types exist only after its messages were generated. Names with an underscore are its internals; each use
 * says why there is no other way.
 */
export interface Rclnodejs {
  /** `argv` is where `--ros-args` are looked for; the context must be given as undefined for the default one. */
  init(context: undefined, argv: readonly string[]): Promise<void>;
  shutdown(): void;
  isShutdown(): boolean;
  /** It shuts down on SIGINT by itself otherwise. */
  removeSignalHandlers(): void;
  readonly Node: new (name: string, namespace?: string) => RosNode;
  readonly lifecycle: {
    /** context and options must be given as undefined for the default ones; the last: whether to offer services */
    readonly LifecycleNode: new (
      name: string,
      namespace?: string,
      context?: undefined,
      options?: undefined,
      services?: boolean,
    ) => RosLifecycleNode;
  };
  readonly QoS: RosQosClass;
  readonly Parameter: new (name: string, type: number, value: unknown) => RosParameter;
  readonly ParameterDescriptor: new (
    name: string,
    type: number,
    description: string,
    readOnly?: boolean,
  ) => RosParameterDescriptor;
}

/** A quality of service, in rmw's numbers. */
export interface RosQos {
  readonly history: number;
  readonly depth: number;
  readonly reliability: number;
  readonly durability: number;
}

export interface RosQosClass {
  new (history: number, depth: number, reliability: number, durability: number): RosQos;
  readonly HistoryPolicy: {
    readonly RMW_QOS_POLICY_HISTORY_KEEP_LAST: number;
    readonly RMW_QOS_POLICY_HISTORY_KEEP_ALL: number;
  };
  readonly ReliabilityPolicy: {
    readonly RMW_QOS_POLICY_RELIABILITY_RELIABLE: number;
    readonly RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT: number;
  };
  readonly DurabilityPolicy: {
    readonly RMW_QOS_POLICY_DURABILITY_VOLATILE: number;
    readonly RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL: number;
  };
}

/** builtin_interfaces/Time */
export interface TimeMessage {
  readonly sec: number;
  readonly nanosec: number;
}

export interface RosClock {
  now(): { readonly nanoseconds: bigint };
}

export interface RosLogger {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

export interface RosPublisher {
  /** A Buffer is taken for the message's CDR and sent as it is. */
  publish(message: object): void;
  /** Blocks until every reliable subscription has what was published. @param timeout nanoseconds */
  waitForAllAcked(timeout: bigint): boolean;
}

/** A message type without the JavaScript that rclnodejs generates; its messages travel as bytes. */
export interface MessageClass {
  type(): { readonly pkgName: string; readonly subFolder: 'msg'; readonly interfaceName: string };
}

/** A name of the graph and the types it has there. */
export interface RosNameAndTypes {
  readonly name: string;
  readonly types: readonly string[];
}

/** A publisher or subscription of any node. */
export interface RosEndpoint {
  readonly node_name: string;
  readonly node_namespace: string;
  /** identifier of the endpoint in the graph, byte by byte */
  readonly endpoint_gid: readonly number[];
  /** rmw's numbers, as in {@link RosQosClass} */
  readonly qos_profile: { readonly reliability: number; readonly durability: number };
}

/** What the middleware says of a message. */
export interface RosMessageInfo {
  readonly publisherGid: Uint8Array;
}

export interface RosSubscription {
  readonly topic: string;
}

export interface RosService {
  readonly serviceName: string;
}

export interface RosClient {
  sendRequest(request: object, callback: (response: unknown) => void): void;
  isServiceServerAvailable(): boolean;
}

export interface RosTimer {
  cancel(): void;
  /** It is used from the call after the next one on. @param period nanoseconds */
  changeTimerPeriod(period: bigint): void;
}

/** A request's way back; may be used later than in the callback. */
export interface RosResponse<T> {
  readonly template: T;
  send(response: T): void;
}

export interface RosParameter {
  readonly name: string;
  readonly type: number;
  /** integers are bigint */
  readonly value: unknown;
}

export interface RosParameterDescriptor {
  readonly readOnly: boolean;
  additionalConstraints: string;
  toMessage(): object;
}

/** rcl_interfaces/msg/Parameter */
export interface ParameterMessage {
  readonly name: string;
  readonly value: { readonly type: number } & Readonly<Record<string, unknown>>;
}

/** rcl_interfaces/srv/ListParameters */
export interface ListParametersRequest {
  readonly prefixes: readonly string[];
  /** 0: all the way down */
  readonly depth: number | bigint;
}

/** rcl_interfaces/msg/ListParametersResult */
export interface ListParametersResult {
  readonly names: readonly string[];
  readonly prefixes: readonly string[];
}

export interface SetParametersRequest {
  readonly parameters: readonly ParameterMessage[];
}

/** rcl_interfaces/msg/SetParametersResult */
export interface SetParametersResult {
  readonly successful: boolean;
  readonly reason: string;
}

export interface RosNode {
  name(): string;
  namespace(): string;
  getFullyQualifiedName(): string;
  getLogger(): RosLogger;
  getClock(): RosClock;
  spin(timeout?: number): void;
  destroy(): void;
  createPublisher(
    type: string | MessageClass,
    topic: string,
    options?: { readonly qos?: RosQos },
  ): RosPublisher;
  destroyPublisher(publisher: RosPublisher): void;
  createSubscription(
    type: string | MessageClass,
    topic: string,
    options: { readonly qos?: RosQos; readonly isRaw?: boolean },
    /** one that takes two arguments is given the info, unless messages are raw */
    callback: (message: unknown, info: RosMessageInfo | undefined) => void,
  ): RosSubscription;
  destroySubscription(subscription: RosSubscription): void;
  createService<Response>(
    type: string,
    name: string,
    options: object,
    callback: (request: unknown, response: RosResponse<Response>) => void,
  ): RosService;
  destroyService(service: RosService): void;
  createClient(type: string, name: string): RosClient;
  /** @param period nanoseconds of the node's clock */
  createTimer(period: bigint, callback: () => void): RosTimer;
  destroyTimer(timer: RosTimer): void;
  declareParameter(
    parameter: RosParameter,
    descriptor: RosParameterDescriptor,
    ignoreOverride?: boolean,
  ): RosParameter;
  hasParameter(name: string): boolean;
  getParameterOverrides(): readonly RosParameter[];
  countPublishers(topic: string): number;
  getTopicNamesAndTypes(): readonly RosNameAndTypes[];
  getPublishersInfoByTopic(topic: string): readonly RosEndpoint[];
  getSubscriptionsInfoByTopic(topic: string): readonly RosEndpoint[];
  /** The full name of a topic, in this node's namespace and remapped. */
  resolveTopicName(topic: string): string;
  /** Called by the native side with what is ready; whatever it throws ends the process. */
  execute(handles: readonly unknown[]): void;
  getParameterNames(): readonly string[];
  /** The parameter as it was set last, or one of the type `notSet`. */
  getParameter(name: string): RosParameter;
  getParameterDescriptor(name: string): RosParameterDescriptor;
  readonly _parameterService: {
    _handleListParameters(
      request: ListParametersRequest,
      response: RosResponse<{ result: ListParametersResult }>,
    ): void;
    _handleGetParameterTypes(
      request: { readonly names: readonly string[] },
      response: RosResponse<{ types: readonly number[] }>,
    ): void;
    _handleSetParameters(
      request: SetParametersRequest,
      response: RosResponse<{ results: readonly SetParametersResult[] }>,
    ): void;
    _handleSetParametersAtomically(
      request: SetParametersRequest,
      response: RosResponse<{ result: SetParametersResult }>,
    ): void;
  };
  _setParametersAtomically(parameters: readonly RosParameter[], declaring?: boolean): SetParametersResult;
  _getNativeParameterOverrides(): Map<string, RosParameter>;
}

/** lifecycle_msgs/Transition and State */
export interface LabelledId {
  readonly id: number;
  readonly label: string;
}

export interface ChangeStateRequest {
  readonly transition: LabelledId;
}
export interface ChangeStateResponse {
  success: boolean;
}

export interface TransitionDescription {
  readonly transition: LabelledId;
  readonly startState: LabelledId;
  readonly goalState: LabelledId;
}

export interface RosLifecycleNode extends RosNode {
  readonly currentState: LabelledId;
  readonly availableStates: readonly LabelledId[];
  /** of the whole state machine */
  readonly transitions: readonly TransitionDescription[];
  /** those from the current state */
  readonly availableTransitions: readonly TransitionDescription[];
  _changeState(transition: number | string): LabelledId;
  _executeCallback(state: LabelledId, previous: LabelledId): number;
  _onChangeState(request: ChangeStateRequest, response: RosResponse<ChangeStateResponse>): void;
}

/** rcl_interfaces/msg/ParameterType */
export const PARAMETER_TYPE = {
  notSet: 0,
  bool: 1,
  integer: 2,
  double: 3,
  string: 4,
  byteArray: 5,
  boolArray: 6,
  integerArray: 7,
  doubleArray: 8,
  stringArray: 9,
} as const;
