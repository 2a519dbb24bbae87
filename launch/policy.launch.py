"""
The policy node, and on request the action executor that turns its chunks into commands.

    ros2 launch fast_wam_policy policy.launch.py bundle:=/path/to/bundle params:=my.yaml autostart:=true

An argument that is left empty changes nothing: the params file's value, else the default holds. Topics are named in the
params file (cameras.<camera>.topic, proprio.<source>.topic); they are relative to the namespace. Those of the cameras
can be said here instead, and any topic can be renamed:

    cameras:="front:=/camera/color/image_raw wrist:=/wrist/image_raw/compressed" remap:="joint_states:=/arm/joint_states"

The nodes are heard on this machine only, unless ROS_AUTOMATIC_DISCOVERY_RANGE or discovery_range:= says otherwise.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.substitutions import FindPackageShare

PACKAGE = 'fast_wam_policy'
DISCOVERY = 'ROS_AUTOMATIC_DISCOVERY_RANGE'


def default_params(name):
    return PathJoinSubstitution([FindPackageShare(PACKAGE), 'params', name])


ARGUMENTS = [
    DeclareLaunchArgument('bundle', default_value='', description='Folder of the bundle to load'),
    DeclareLaunchArgument(
        'params', default_value=default_params('policy.yaml'), description='Params file of the policy node'
    ),
    DeclareLaunchArgument('instruction', default_value='', description='Task to follow from the start'),
    DeclareLaunchArgument('namespace', default_value='', description='Namespace of the nodes'),
    DeclareLaunchArgument('name', default_value='fast_wam_policy', description='Name of the policy node'),
    DeclareLaunchArgument(
        'autostart', default_value='', choices=['', 'true', 'false'], description='Configure and activate at the start'
    ),
    DeclareLaunchArgument(
        'use_sim_time', default_value='', choices=['', 'true', 'false'], description='Take the time from /clock'
    ),
    DeclareLaunchArgument(
        'log_level', default_value='info', choices=['debug', 'info', 'warn', 'error', 'fatal'], description='Log level'
    ),
    DeclareLaunchArgument(
        'respawn', default_value='false', choices=['true', 'false'], description='Start a node again that has died'
    ),
    DeclareLaunchArgument('respawn_delay', default_value='1.0', description='Seconds before that'),
    DeclareLaunchArgument(
        'executor', default_value='false', choices=['true', 'false'], description='Also start the action executor'
    ),
    DeclareLaunchArgument(
        'executor_params',
        default_value=default_params('executor.yaml'),
        description='Params file of the action executor',
    ),
    DeclareLaunchArgument(
        'command_topic',
        default_value='',
        description="Topic of the executor's commands, for instance /forward_position_controller/commands",
    ),
    DeclareLaunchArgument(
        'cameras',
        default_value='',
        description='Topic of each camera of the bundle: "front:=/camera/color/image_raw wrist:=/wrist/image_raw"',
    ),
    DeclareLaunchArgument(
        'remap', default_value='', description='Other names for topics of the nodes: "joint_states:=/arm/joint_states"'
    ),
    DeclareLaunchArgument(
        'enclaves',
        default_value='false',
        choices=['true', 'false'],
        description='Give each node the SROS2 enclave of its full name (sros2/policy.xml has what they need)',
    ),
    DeclareLaunchArgument(
        'discovery_range',
        default_value=EnvironmentVariable(DISCOVERY, default_value='LOCALHOST'),
        description='Who finds the nodes: LOCALHOST, this machine; SUBNET, its network; SYSTEM_DEFAULT; OFF',
    ),
]


def pairs(text, argument):
    """The pairs of "a:=b c:=d"."""
    result = []
    for word in text.split():
        name, sign, value = word.partition(':=')
        if not (name and sign and value):
            raise ValueError(f'{argument}:="{text}": expected pairs like name:=/topic, separated by blanks; got "{word}"')
        result.append((name, value))
    return result


def nodes(context):
    def said(name):
        return context.perform_substitution(LaunchConfiguration(name))

    common = {}
    for name in ['bundle', 'autostart', 'use_sim_time']:
        if said(name) != '':
            common[name] = said(name) if name == 'bundle' else said(name) == 'true'
    settings = {
        'package': PACKAGE,
        'namespace': said('namespace'),
        'respawn': said('respawn') == 'true',
        'respawn_delay': float(said('respawn_delay')),
        'output': 'screen',
        'emulate_tty': True,
    }
    def ros_arguments(name):
        full = '/'.join(['', *[part for part in said('namespace').split('/') if part], name])
        return ['--log-level', said('log_level'), *(['--enclave', full] if said('enclaves') == 'true' else [])]

    renamed = pairs(said('remap'), 'remap')
    policy = dict(common)
    for camera, topic in pairs(said('cameras'), 'cameras'):
        policy[f'cameras.{camera}.topic'] = topic
    if said('instruction') != '':
        policy['instruction'] = said('instruction')
    result = [
        LifecycleNode(
            executable='policy',
            name=said('name'),
            ros_arguments=ros_arguments(said('name')),
            parameters=[said('params'), policy],
            remappings=renamed,
            **settings,
        )
    ]
    if said('executor') == 'true':
        remappings = [('fast_wam_policy/action_chunk', f'{said("name")}/action_chunk'), *renamed]
        if said('command_topic') != '':
            remappings += [(f'~/{topic}', said('command_topic')) for topic in ['commands', 'joint_trajectory', 'twist']]
        result.append(
            LifecycleNode(
                executable='action_executor',
                name='action_executor',
                ros_arguments=ros_arguments('action_executor'),
                parameters=[said('executor_params'), common],
                remappings=remappings,
                **settings,
            )
        )
    return result


def generate_launch_description():
    only_here = SetEnvironmentVariable(DISCOVERY, LaunchConfiguration('discovery_range'))
    return LaunchDescription([*ARGUMENTS, only_here, OpaqueFunction(function=nodes)])
