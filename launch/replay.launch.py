"""
Plays a recording into the running node, records the chunks it makes, and reports on them as `fastwam replay` does.

    ros2 launch fast_wam_policy replay.launch.py bag:=my_recording bundle:=my_bundle params:=my.yaml out:=chunks

The time comes from the recording (/clock). `fastwam play` reads rosbag2 MCAP and SQLite3 and needs no rosbag2; the
chunks are recorded as MCAP. When the recording is over the recorder is told so, and what it has recorded is compared
with what the model makes of the same observations without a cache: the report lies in report:=, and everything ends.
An empty report:= leaves it out.
"""

import signal

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown, matches_action
from launch.events.process import SignalProcess
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

PACKAGE = 'fast_wam_policy'


def generate_launch_description():
    share = FindPackageShare(PACKAGE)
    player = Node(
        package=PACKAGE,
        executable='fastwam',
        arguments=[
            'play',
            LaunchConfiguration('bag'),
            '--rate',
            LaunchConfiguration('rate'),
            '--clock',
            '--wait-for',
            LaunchConfiguration('name'),
        ],
        output='screen',
        emulate_tty=True,
    )
    recorder = Node(
        package=PACKAGE,
        executable='fastwam',
        arguments=[
            'record',
            [LaunchConfiguration('name'), '/action_chunk'],
            '--out',
            LaunchConfiguration('out'),
        ],
        output='screen',
        emulate_tty=True,
    )
    reporter = Node(
        package=PACKAGE,
        executable='fastwam',
        arguments=[
            'replay',
            LaunchConfiguration('bag'),
            '--live',
            LaunchConfiguration('out'),
            '--bundle',
            LaunchConfiguration('bundle'),
            '--params',
            LaunchConfiguration('params'),
            '--no-residuals',
            '--out',
            LaunchConfiguration('report'),
        ],
        output='screen',
        emulate_tty=True,
    )
    end = EmitEvent(event=Shutdown(reason='the recording is over'))

    def report_or_end(context):
        return [end if context.perform_substitution(LaunchConfiguration('report')) == '' else reporter]

    stop_recording = EmitEvent(
        event=SignalProcess(signal_number=signal.SIGINT, process_matcher=matches_action(recorder))
    )
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
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(PathJoinSubstitution([share, 'launch', 'policy.launch.py'])),
                launch_arguments={
                    'bundle': LaunchConfiguration('bundle'),
                    'params': LaunchConfiguration('params'),
                    'instruction': LaunchConfiguration('instruction'),
                    'name': LaunchConfiguration('name'),
                    'log_level': LaunchConfiguration('log_level'),
                    'autostart': 'true',
                    'use_sim_time': 'true',
                }.items(),
            ),
            recorder,
            player,
            RegisterEventHandler(OnProcessExit(target_action=player, on_exit=[stop_recording])),
            RegisterEventHandler(
                OnProcessExit(target_action=recorder, on_exit=[OpaqueFunction(function=report_or_end)])
            ),
            RegisterEventHandler(OnProcessExit(target_action=reporter, on_exit=[end])),
        ]
    )
