"""
A simulated robot at its table, the policy that controls it and the executor between them.

    ros2 launch fast_wam_policy sim.launch.py bundle:=bundles/tabletop

While it runs: ros2 param set /fast_wam_policy cache.refresh_interval 8
               ros2 param set /simulated_robot real_time_factor 3.0
               ros2 topic echo /simulated_robot/episode_result

The robot is the clock: it publishes /clock, and all nodes run with use_sim_time. They are heard on this machine only,
unless ROS_AUTOMATIC_DISCOVERY_RANGE or discovery_range:= says otherwise.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, SetEnvironmentVariable
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

PACKAGE = 'fast_wam_policy'
DISCOVERY = 'ROS_AUTOMATIC_DISCOVERY_RANGE'


def robot(context):
    def said(name):
        return context.perform_substitution(LaunchConfiguration(name))

    parameters = {'clock': True, 'use_sim_time': True}
    if said('real_time_factor') != '':
        parameters['real_time_factor'] = float(said('real_time_factor'))
    return [
        Node(
            package=PACKAGE,
            executable='simulated_robot',
            name='simulated_robot',
            namespace=said('namespace'),
            parameters=[said('params'), parameters],
            ros_arguments=['--log-level', said('log_level')],
            output='screen',
            emulate_tty=True,
        )
    ]


def generate_launch_description():
    share = FindPackageShare(PACKAGE)
    return LaunchDescription(
        [
            DeclareLaunchArgument('bundle', description='Folder of the table-top bundle'),
            DeclareLaunchArgument(
                'params',
                default_value=PathJoinSubstitution([share, 'params', 'simulation.yaml']),
                description='Params file of all nodes',
            ),
            DeclareLaunchArgument('namespace', default_value='', description='Namespace of the nodes'),
            DeclareLaunchArgument('log_level', default_value='info', description='Log level'),
            DeclareLaunchArgument(
                'real_time_factor',
                default_value='',
                description="Simulated seconds in a real one; empty: the params file's",
            ),
            DeclareLaunchArgument(
                'discovery_range',
                default_value=EnvironmentVariable(DISCOVERY, default_value='LOCALHOST'),
                description='Who finds the nodes: LOCALHOST, this machine; SUBNET, its network; SYSTEM_DEFAULT; OFF',
            ),
            SetEnvironmentVariable(DISCOVERY, LaunchConfiguration('discovery_range')),
            OpaqueFunction(function=robot),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(PathJoinSubstitution([share, 'launch', 'policy.launch.py'])),
                launch_arguments={
                    'bundle': LaunchConfiguration('bundle'),
                    'params': LaunchConfiguration('params'),
                    'executor_params': LaunchConfiguration('params'),
                    'namespace': LaunchConfiguration('namespace'),
                    'discovery_range': LaunchConfiguration('discovery_range'),
                    'log_level': LaunchConfiguration('log_level'),
                    'autostart': 'true',
                    'executor': 'true',
                    'use_sim_time': 'true',
                    'command_topic': 'simulated_robot/commands',
                }.items(),
            ),
        ]
    )
