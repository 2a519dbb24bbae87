"""A ROS 2 process that is not ours: does what it is told on standard input, and reports what it sees.

Every line in and out is one JSON object. Requests have an `id` that the answer repeats; messages of subscriptions are
reported as they come, with the time of receipt.
"""

import array
import json
import sys
import threading
import time

import numpy
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from messages import as_dict, fill, interface

QOS = {
    'sensor': QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
    'reliable': QoSProfile(depth=1000),
    'latched': QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
}


LOCK = threading.Lock()
CLIENTS = threading.Lock()


def report(**fields):
    line = json.dumps(fields) + '\n'
    with LOCK:
        sys.stdout.write(line)
        sys.stdout.flush()


class Peer(Node):
    def __init__(self):
        super().__init__('peer', start_parameter_services=False)
        self.publishers_by_topic = {}
        self.subscriptions_by_topic = {}
        self.clients_by_name = {}
        self.timers_by_name = {}
        self.sent = {}
        self.lock = threading.RLock()  # between what is asked for and the timers
        self.clock_time = None  # nanoseconds, where this process is the clock

    # ---------------------------------------------------------------------------------------------- what can be asked

    def subscribe(self, topic, type, qos='reliable', fields=None):
        """Reports what comes, where `fields` are named only these: of what comes in thousands few are of interest."""

        def receive(message):
            names = message.get_fields_and_field_types() if fields is None else fields
            content = {name: as_dict(getattr(message, name)) for name in names}
            report(event='message', topic=topic, at=time.time(), message=content)

        self.subscriptions_by_topic[topic] = self.create_subscription(interface(type), topic, receive, QOS[qos])
        return {}

    def publishers(self, topic):
        """How many publishers the subscription of a topic has matched."""
        return {'publishers': self.subscriptions_by_topic[topic].get_publisher_count()}

    def publish(self, topic, type, message, qos='reliable'):
        content = interface(type)()
        fill(content, message)
        self.publisher(topic, type, qos).publish(content)
        return {}

    def ends_of(self, node, namespace):
        """What a node publishes, subscribes to, serves and asks for, by full names."""
        name_of = lambda pairs: sorted(name for name, _ in pairs)
        return {
            'publish': name_of(self.get_publisher_names_and_types_by_node(node, namespace)),
            'subscribe': name_of(self.get_subscriber_names_and_types_by_node(node, namespace)),
            'reply': name_of(self.get_service_names_and_types_by_node(node, namespace)),
            'request': name_of(self.get_client_names_and_types_by_node(node, namespace)),
        }

    def repeat(self, topic, type, message, period):
        """Publishes a message again and again, until `repeat_no_more`."""
        content = fill(interface(type)(), message)
        publisher = self.publisher(topic, type, 'reliable')
        self.timers_by_name['repeat'] = self.create_timer(period, lambda: publisher.publish(content))
        return {}

    def repeat_no_more(self):
        self.destroy_timer(self.timers_by_name.pop('repeat'))
        return {}

    def publish_bytes(self, topic, type, hex, qos='reliable'):
        """Any bytes at all, as a message of that type."""
        self.publisher(topic, type, qos).publish(bytes.fromhex(hex))
        return {}

    def matched(self, topic, type, qos='reliable'):
        return {'subscriptions': self.publisher(topic, type, qos).get_subscription_count()}

    def call(self, service, type, request):
        service_type = interface(type)
        with CLIENTS:
            fresh = service not in self.clients_by_name
            if fresh:
                self.clients_by_name[service] = self.create_client(service_type, service)
            client = self.clients_by_name[service]
        fresh = fresh or not client.service_is_ready()
        if not client.wait_for_service(60):
            raise RuntimeError(f'there is no service {service}')
        if fresh:
            # The server may not have found this client yet, and drops an answer to one that it does not know.
            time.sleep(0.2)
        content = service_type.Request()
        fill(content, request)
        asked = time.time()
        done = threading.Event()
        future = client.call_async(content)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(60):
            raise RuntimeError(f'{service} has not answered')
        return {'response': as_dict(future.result()), 'seconds': time.time() - asked}

    def robot(self, cameras, joints, topic='joint_states', rate=20.0, width=64, height=64, stamp_offset=0.0, encoding='rgb8', noise=False):
        """Publishes frames of cameras (by topic) and joint states at a rate until `halt`; with noise no frame is like another."""
        image = interface('sensor_msgs/msg/Image')
        state = interface('sensor_msgs/msg/JointState')
        for camera in cameras:
            self.publisher(camera, 'sensor_msgs/msg/Image', 'sensor')
        self.publisher(topic, 'sensor_msgs/msg/JointState', 'sensor')

        def send():
            with self.lock:
                if 'robot' in self.timers_by_name:
                    send_all()

        def send_all():
            nanoseconds = self.now() + int(stamp_offset * 1e9)
            for k, camera in enumerate(cameras):
                message = image()
                message.header.stamp.sec, message.header.stamp.nanosec = divmod(nanoseconds, 10**9)
                message.width, message.height, message.encoding, message.step = width, height, encoding, width * 3
                pixels = numpy.full(width * height * 3, 40 * k + 20, numpy.uint8)
                if noise:
                    pixels += numpy.random.randint(0, 4, pixels.size, numpy.uint8)
                message.data = array.array('B', pixels.tobytes())
                self.publisher(camera, 'sensor_msgs/msg/Image', 'sensor').publish(message)
            message = state()
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(nanoseconds, 10**9)
            message.name = list(joints)
            message.position = [float(value) for value in joints.values()]
            self.publisher(topic, 'sensor_msgs/msg/JointState', 'sensor').publish(message)

        self.halt()
        self.timers_by_name['robot'] = self.create_timer(1 / rate, send)
        return {}

    def clock(self, start, speed=1.0, rate=100.0):
        """Becomes the clock: /clock from `start` seconds on."""
        message_type = interface('rosgraph_msgs/msg/Clock')
        self.clock_time = int(start * 1e9)
        if 'clock' in self.timers_by_name:
            return {}

        def tick():
            self.clock_time += int(speed / rate * 1e9)
            message = message_type()
            message.clock.sec, message.clock.nanosec = divmod(self.clock_time, 10**9)
            self.publisher('/clock', 'rosgraph_msgs/msg/Clock', 'reliable').publish(message)

        self.timers_by_name['clock'] = self.create_timer(1 / rate, tick)
        return {}

    def time(self):
        """The time that this process goes by, as a stamp."""
        sec, nanosec = divmod(self.now(), 10**9)
        return {'sec': sec, 'nanosec': nanosec}

    def stop_clock(self):
        """Lets the time stand still: /clock has a publisher, and nothing comes."""
        self.destroy_timer(self.timers_by_name.pop('clock'))
        return {}

    def halt(self):
        timer = self.timers_by_name.pop('robot', None)
        if timer:
            self.destroy_timer(timer)
        return {}

    def leave(self):
        """Goes off the air as a robot whose drivers are restarted: publishes nothing, has no publishers."""
        with self.lock:
            self.halt()
            for topic in [topic for topic in self.publishers_by_topic if topic != '/clock']:
                self.destroy_publisher(self.publishers_by_topic.pop(topic))
        return {}

    # ----------------------------------------------------------------------------------------------------------- inside

    def now(self):
        return self.clock_time if self.clock_time is not None else time.time_ns()

    def publisher(self, topic, type, qos):
        if topic not in self.publishers_by_topic:
            self.publishers_by_topic[topic] = self.create_publisher(interface(type), topic, QOS[qos])
        return self.publishers_by_topic[topic]


def main():
    rclpy.init()
    peer = Peer()
    executor = SingleThreadedExecutor()
    executor.add_node(peer)

    def spin():
        try:
            executor.spin()
        except ExternalShutdownException:
            pass

    spinning = threading.Thread(target=spin)
    spinning.start()
    report(event='ready')

    def answer(request):
        try:
            result = getattr(peer, request['do'])(**request.get('with', {}))
            report(id=request['id'], result=result)
        except Exception as error:  # the test wants to know, whatever it is
            report(id=request['id'], error=f'{type(error).__name__}: {error}')

    for line in sys.stdin:
        request = json.loads(line)
        if request['do'] == 'call':
            # services take as long as they take; what is asked meanwhile must not wait for them
            threading.Thread(target=answer, args=(request,), daemon=True).start()
        else:
            answer(request)
    rclpy.try_shutdown()
    spinning.join()


main()
