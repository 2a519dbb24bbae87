"""Three rgb8 cameras and joints at 200 Hz, until standard input ends; says what it sent.

    robot.py JOINTS WIDTH HEIGHT HZ
"""

import array
import json
import sys
import threading
import time

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState

COUNT, WIDTH, HEIGHT, HZ = (int(argument) for argument in sys.argv[1:])
CAMERAS = ['cam/front', 'cam/wrist', 'cam/side']
JOINTS = [f'joint_{i}' for i in range(COUNT)]

rclpy.init()
node = rclpy.create_node('robot', start_parameter_services=False)
qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
sent = {topic: 0 for topic in [*CAMERAS, 'joint_states']}


def stamp(message):
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(time.time_ns(), 10**9)
    return message


def camera(topic, value):
    publisher = node.create_publisher(Image, topic, qos)
    frame = Image(width=WIDTH, height=HEIGHT, encoding='rgb8', step=3 * WIDTH)
    frame.data = array.array('B', bytes([value]) * (3 * WIDTH * HEIGHT))

    def send():
        publisher.publish(stamp(frame))
        sent[topic] += 1

    node.create_timer(1 / HZ, send)


def joints():
    publisher = node.create_publisher(JointState, 'joint_states', qos)
    state = JointState(name=JOINTS, position=[0.5] * len(JOINTS))

    def send():
        publisher.publish(stamp(state))
        sent['joint_states'] += 1

    node.create_timer(1 / 200, send)


for number, name in enumerate(CAMERAS):
    camera(name, 60 * number + 40)
joints()
executor = SingleThreadedExecutor()
executor.add_node(node)


def spin():
    try:
        executor.spin()
    except ExternalShutdownException:
        pass


spinning = threading.Thread(target=spin)
spinning.start()
for _ in sys.stdin:  # each line asks for the counts
    print(json.dumps(sent), flush=True)
rclpy.try_shutdown()
spinning.join()
