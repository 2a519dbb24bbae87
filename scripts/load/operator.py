"""Listens to chunks and asks the policy node for things, one after the other, for some seconds; says how long it took."""

import json
import sys
import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from fast_wam_msgs.msg import ActionChunk
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor

SECONDS = float(sys.argv[1])
NODE = '/fast_wam_policy'

rclpy.init()
node = rclpy.create_node('operator', start_parameter_services=False)
executor = SingleThreadedExecutor()
executor.add_node(node)
latencies, inference, received = [], [], []


def on_chunk(chunk):
    stamp = chunk.header.stamp.sec + chunk.header.stamp.nanosec / 1e9
    latencies.append(time.time() - stamp)
    inference.append(chunk.times.total)


def on_diagnostics(message):
    counts = {
        value.key[: -len(' messages')]: int(value.value)
        for status in message.status
        for value in status.values
        if value.key.endswith(' messages')
    }
    if counts:
        received.append((message.header.stamp.sec + message.header.stamp.nanosec / 1e9, counts))


def rates():
    """Messages a second of each source, between the first and the last diagnostics."""
    (began, first), (ended, last) = received[0], received[-1]
    return {source: (count - first[source]) / (ended - began) for source, count in last.items()}


node.create_subscription(ActionChunk, f'{NODE}/action_chunk', on_chunk, 10)
node.create_subscription(DiagnosticArray, '/diagnostics', on_diagnostics, 10)
number = ParameterValue(type=2, integer_value=4)
calls = {
    'get parameter': (GetParameters, 'get_parameters', GetParameters.Request(names=['cache.refresh_interval'])),
    'set parameter': (
        SetParameters,
        'set_parameters',
        SetParameters.Request(parameters=[Parameter(name='cache.refresh_interval', value=number)]),
    ),
    'get state': (GetState, 'get_state', GetState.Request()),
}
clients = {name: node.create_client(type, f'{NODE}/{service}') for name, (type, service, _) in calls.items()}
for client in clients.values():
    client.wait_for_service()
answers = {name: [] for name in calls}


def during(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=max(0, end - time.monotonic()))


during(1.5)
latencies.clear()
inference.clear()
received.clear()
print('begin', flush=True)
end = time.monotonic() + SECONDS
while time.monotonic() < end:
    for name, (_, _, request) in calls.items():
        asked = time.perf_counter()
        future = clients[name].call_async(request)
        while not future.done():
            executor.spin_once(timeout_sec=1)
        answers[name].append(time.perf_counter() - asked)
        during(0.015)
print('end', flush=True)
during(1.1)  # the diagnostics of the last second
print(json.dumps({'latencies': latencies, 'inference': inference, 'answers': answers, 'received': rates()}), flush=True)
