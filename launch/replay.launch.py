"""
Plays a recording into the running node, records the chunks it makes, and reports on them as `fastwam replay` does.

    ros2 launch fast_wam_policy replay.launch.py bag:=my_recording bundle:=my_bundle params:=my.yaml out:=chunks

The time comes from the recording (/clock). `fastwam play` reads rosbag2 MCAP and SQLite3 and needs no rosbag2; the
chunks are recorded as MCAP. When the recording is over the recorder is told so, and what it has recorded is compared
with what the model makes of the same observations without a cache: the report lies in report:=, and everything ends.
An empty report:= leaves it out.

With a namespace:= the node lives there, and relative topics of the params file with it. The recording is played under
the names it was recorded with; remap:= gives its topics, and those of the node, others.
"""

import signal

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown, matches_action
from launch.events.process import SignalProcess
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

PACKAGE = 'fast_wam_policy'
DISCOVERY = 'ROS_AUTOMATIC_DISCOVERY_RANGE'


def full_name(namespace, name):
    """`/left/fast_wam_policy`; what is absolute already stays so."""
    return name if name.startswith('/') else '/'.join(['', *[part for part in namespace.split('/') if part], name])


def remappings(text):
    """The pairs of "a:=b c:=d"."""
    return [tuple(word.split(':=', 1)) for word in text.split() if ':=' in word]


def play_and_record(context):
    """The player, the recorder, and what happens when they are done."""

    def said(name):
        return context.perform_substitution(LaunchConfiguration(name))

    node = full_name(said('namespace'), said('name'))
    player = Node(
        package=PACKAGE,
        executable='fastwam',
        arguments=['play', said('bag'), '--rate', said('rate'), '--clock', '--wait-for', node],
        remappings=remappings(said('remap')),
        output='screen',
        emulate_tty=True,
    )
    recorder = Node(
        package=PACKAGE,
        executable='fastwam',
        arguments=['record', f'{node}/action_chunk', '--out', said('out')],
        output='screen',
        emulate_tty=True,
    )
    compared = ['replay', said('bag'), '--live', said('out'), '--bundle', said('bundle'), '--params', said('params')]
    reporter = Node(
        package=PACKAGE,
        executable='fastwam',
        arguments=[*compared, '--no-residuals', '--out', said('report')],
        output='screen',
        emulate_tty=True,
    )
    end = EmitEvent(event=Shutdown(reason='the recording is over'))

    stop_recording = EmitEvent(
        event=SignalProcess(signal_number=signal.SIGINT, process_matcher=matches_action(recorder))
    )
    return [
        recorder,
        player,
        RegisterEventHandler(OnProcessExit(target_action=player, on_exit=[stop_recording])),
        RegisterEventHandler(
            OnProcessExit(target_action=recorder, on_exit=[end if said('report') == '' else reporter])
        ),
        RegisterEventHandler(OnProcessExit(target_action=reporter, on_exit=[end])),
    ]


def generate_launch_description():
    share = FindPackageShare(PACKAGE)
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='Recording to play'),
            DeclareLaunchArgument('bundle', description='Folder of the bundle to load'),
            DeclareLaunchArgument(
                'params',
                default_value=PathJoinSubstitution([share, 'params', 'policy.yaml']),
                description='Params file: which topics are the cameras and the proprioception',
            ),
            DeclareLaunchArgument('instruction', default_value='', description='Task, if the recording names none'),
            DeclareLaunchArgument('name', default_value='fast_wam_policy', description='Name of the policy node'),
            DeclareLaunchArgument('rate', default_value='1.0', description='Speed of the recording'),
            DeclareLaunchArgument('out', default_value='chunks', description='Folder of the recorded chunks'),
            DeclareLaunchArgument('report', default_value='out/replay', description='Folder of the report; empty: none'),
            DeclareLaunchArgument('log_level', default_value='info', description='Log level'),
            DeclareLaunchArgument('namespace', default_value='', description='Namespace of the policy node'),
            DeclareLaunchArgument(
                'cameras', default_value='', description='Topic of each camera: "front:=/camera/color/image_raw"'
            ),
            DeclareLaunchArgument(
                'remap',
                default_value='',
                description='Other names for topics of the recording and the node: "/joint_states:=/arm/joint_states"',
            ),
            DeclareLaunchArgument(
                'discovery_range',
                default_value=EnvironmentVariable(DISCOVERY, default_value='LOCALHOST'),
                description='Who finds the nodes: LOCALHOST, this machine; SUBNET, its network; SYSTEM_DEFAULT; OFF',
            ),
            SetEnvironmentVariable(DISCOVERY, LaunchConfiguration('discovery_range')),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(PathJoinSubstitution([share, 'launch', 'policy.launch.py'])),
                launch_arguments={
                    'bundle': LaunchConfiguration('bundle'),
                    'params': LaunchConfiguration('params'),
                    'instruction': LaunchConfiguration('instruction'),
                    'name': LaunchConfiguration('name'),
                    'namespace': LaunchConfiguration('namespace'),
                    'cameras': LaunchConfiguration('cameras'),
                    'remap': LaunchConfiguration('remap'),
                    'discovery_range': LaunchConfiguration('discovery_range'),
                    'log_level': LaunchConfiguration('log_level'),
                    'autostart': 'true',
                    'use_sim_time': 'true',
                }.items(),
            ),
            OpaqueFunction(function=play_and_record),
        ]
    )
