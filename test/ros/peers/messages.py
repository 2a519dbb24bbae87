"""ROS 2 messages from and to plain data, for any type; what rosidl_runtime_py does, which the wheels lack."""

import importlib


def interface(name):
    """The class of `std_msgs/msg/String`, `std_srvs/srv/Trigger`."""
    package, kind, type = name.split('/')
    return getattr(importlib.import_module(f'{package}.{kind}'), type)


def as_dict(message):
    """A message as plain data: dictionaries, lists, numbers, strings; byte fields as numbers."""
    if hasattr(message, 'get_fields_and_field_types'):
        return {name: as_dict(getattr(message, name)) for name in message.get_fields_and_field_types()}
    if isinstance(message, (bytes, bytearray)):
        return message[0] if len(message) == 1 else list(message)
    if isinstance(message, (str, bool, int, float)):
        # JSON has no NaN
        return message if message == message else 'NaN'
    return [as_dict(item) for item in message]


def fill(message, values):
    """Sets the fields that are given, nested ones too."""
    for name, value in values.items():
        current = getattr(message, name)
        if isinstance(value, dict):
            fill(current, value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            setattr(message, name, [fill(item_class(message, name)(), item) for item in value])
        elif isinstance(current, bytes):
            setattr(message, name, bytes([value]))
        else:
            setattr(message, name, type(current)(value) if isinstance(current, (int, float)) else value)
    return message


def item_class(message, field):
    """The class of the items of a sequence field."""
    type = message.get_fields_and_field_types()[field]
    package, name = type.removeprefix('sequence<').split('>')[0].split(',')[0].split('/')
    return interface(f'{package}/msg/{name}')
