"""
Plays a recording into the running node and records the chunks it makes; everything ends with the recording.

    ros2 launch fast_wam_policy replay.launch.py bag:=my_recording bundle:=my_bundle params:=my.yaml out:=chunks

The time comes from the recording (/clock). `fastwam play` reads rosbag2 MCAP and SQLite3 and needs no rosbag2; the
chunks are recorded as MCAP.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
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
            RegisterEventHandler(
                OnProcessExit(target_action=player, on_exit=[EmitEvent(event=Shutdown(reason='the recording is over'))])
            ),
        ]
    )
