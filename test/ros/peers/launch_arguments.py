"""Runs a launch file without a launch system: what it declares, what it uses and what it would start, as JSON."""

import importlib.util
import json
import sys
from unittest.mock import MagicMock

declared, used, started, handed_on, environment = {}, [], [], [], {}


class DeclareLaunchArgument:
    def __init__(self, name, default_value=None, **_):
        declared[name] = default_value


class LaunchConfiguration:
    def __init__(self, name):
        self.name = name
        used.append(name)


class EnvironmentVariable:
    def __init__(self, _name, default_value=None):
        self.default = default_value


class SetEnvironmentVariable:
    def __init__(self, name, value):
        environment[name] = value.name


class Node:
    def __init__(self, executable=None, name=None, arguments=(), parameters=(), remappings=(), ros_arguments=(), **_):
        started.append(
            {
                'executable': executable,
                'name': name,
                'arguments': list(arguments),
                'ros_arguments': list(ros_arguments),
                'parameters': [plain(value) for value in parameters],
                'remappings': [list(pair) for pair in remappings],
            }
        )


def plain(value):
    return value if isinstance(value, (str, dict)) else str(value)


class IncludeLaunchDescription:
    def __init__(self, _source, launch_arguments=()):
        handed_on.extend(name for name, _ in launch_arguments)


class Context:
    """Gives every argument a value: what the command line says, else its default."""

    def __init__(self, said):
        self.said = said

    def perform_substitution(self, substitution):
        value = self.said.get(substitution.name, declared.get(substitution.name))
        if isinstance(value, EnvironmentVariable):
            value = value.default
        return value if isinstance(value, str) else f'<{substitution.name}>'


class OpaqueFunction:
    def __init__(self, function):
        functions.append(function)


functions = []
modules = {
    name: MagicMock()
    for name in [
        'launch',
        'launch.actions',
        'launch.conditions',
        'launch.event_handlers',
        'launch.events',
        'launch.events.process',
        'launch.launch_description_sources',
        'launch.substitutions',
        'launch_ros',
        'launch_ros.actions',
        'launch_ros.substitutions',
    ]
}
modules['launch.actions'].DeclareLaunchArgument = DeclareLaunchArgument
modules['launch.actions'].OpaqueFunction = OpaqueFunction
modules['launch.actions'].IncludeLaunchDescription = IncludeLaunchDescription
modules['launch.actions'].SetEnvironmentVariable = SetEnvironmentVariable
modules['launch.substitutions'].EnvironmentVariable = EnvironmentVariable
modules['launch.substitutions'].LaunchConfiguration = LaunchConfiguration
modules['launch_ros.actions'].Node = Node
modules['launch_ros.actions'].LifecycleNode = Node
sys.modules.update(modules)
sys.dont_write_bytecode = True

path, *arguments = sys.argv[1:]
specification = importlib.util.spec_from_file_location('launch_file', path)
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
module.generate_launch_description()
for function in functions:
    function(Context(dict(argument.split(':=', 1) for argument in arguments)))
json.dump(
    {
        'declared': sorted(declared),
        'used': sorted(set(used)),
        'started': started,
        'handed_on': sorted(handed_on),
        'environment': environment,
    },
    sys.stdout,
)
